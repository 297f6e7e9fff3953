// `arena-inspect arenas`: every arena of the ring, in glibc's order.
import { NO_GLIBC } from '../../session/measure.js'
import { arenasTable } from '../../views/text/arenas-table.js'
import { CommandError, type ExitCode } from '../exit.js'
import { exitCodeOf, output, sayWhatIsMissing } from '../finish.js'
import { chooseWithProgram, open, type TargetOptions } from '../target-arguments.js'

export interface ArenasOptions extends TargetOptions {
  readonly json?: boolean
}

export async function runArenas(targets: readonly string[], options: ArenasOptions): Promise<ExitCode> {
  const session = await open(chooseWithProgram(targets, options), options)
  try {
    const { report } = session
    const { heap } = report
    if (!heap) throw new CommandError(NO_GLIBC, 'arena-inspect maps shows where the memory is')
    output(
      options.json
        ? `${JSON.stringify({ schema: report.schema, complete: report.complete, arenas: heap.arenas, totals: heap.totals, mmapped: heap.mmapped }, null, 2)}\n`
        : `${arenasTable(heap.arenas, heap.arenas.length)}\n`,
    )
    sayWhatIsMissing(report)
    return exitCodeOf(report, null, options.strict === true)
  } finally {
    await session.close()
  }
}
