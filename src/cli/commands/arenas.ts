// `arena-inspect arenas`: every arena of the ring, in glibc's order.
import { arenasTable } from '../../views/text/arenas-table.js'
import type { ArenasDocument } from '../documents/reading.js'
import type { ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
import type { TargetOptions } from '../target-arguments.js'
import { withMalloc } from '../with-malloc.js'

export interface ArenasOptions extends TargetOptions {
  readonly json?: boolean
}

export async function runArenas(targets: readonly string[], options: ArenasOptions): Promise<ExitCode> {
  return withMalloc(targets, options, ({ report }) => {
    const { arenas, totals, mmapped } = report.heap!
    const { complete } = report
    if (!options.json) output(`${arenasTable(arenas, arenas.length, true)}\n`)
    else {
      const document: ArenasDocument = { schema: 'arena-inspect-arenas/1', complete, arenas, totals, mmapped }
      outputJson(document)
    }
  })
}
