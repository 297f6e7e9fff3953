// `arena-inspect snapshot`: all that views need of a target in one compact file, to look at it later and elsewhere.
import { once } from 'node:events'
import type { Command } from 'commander'
import { bytesText } from '../../format/sizes.js'
import { SNAPSHOT_NAME } from '../../snapshot/snapshot.js'
import type { SnapshotContents } from '../../snapshot/write-snapshot.js'
import { CommandError, type ExitCode, UsageError } from '../exit.js'
import { exitCodeOf, sayWhatIsMissing } from '../finish.js'
import { LiveLine } from '../live-line.js'
import { NewFile } from '../new-file.js'
import { packageVersion } from '../package-version.js'
import {
  chooseWithProgram,
  openSaved,
  type TargetOptions,
  withStopOption,
  withTargetOptions,
} from '../target-arguments.js'
import { say } from '../terminal.js'

export interface SnapshotOptions extends TargetOptions {
  readonly output: string
  readonly chunks: boolean
  readonly includeMemory?: boolean
  readonly force?: boolean
}

const EXAMPLES = `
Examples:
  arena-inspect snapshot core.6 -o ${SNAPSHOT_NAME}
  arena-inspect snapshot --pid 6 -o - | ssh desk 'cat > ${SNAPSHOT_NAME}'
  arena-inspect ${SNAPSHOT_NAME}
`

export function addSnapshot(root: Command, onEnd: (code: ExitCode) => void): void {
  withStopOption(withTargetOptions(root.command('snapshot')))
    .description('one compact file to look at later and elsewhere: all that views need, no memory contents')
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .requiredOption('-o, --output <file>', `the file to write, e.g. ${SNAPSHOT_NAME}; - for stdout`)
    .option('--no-chunks', 'leave the list of chunks out, most of the file')
    .option('--include-memory', 'with what the memory holds, secrets included')
    .option('--force', 'replace the file if it exists')
    .addHelpText('after', EXAMPLES)
    .action(async (targets: string[], options: SnapshotOptions) => onEnd(await runSnapshot(targets, options)))
}

export async function runSnapshot(targets: readonly string[], options: SnapshotOptions): Promise<ExitCode> {
  const { output, force = false } = options
  if (output === '') throw new UsageError('-o takes a file', `e.g. -o ${SNAPSHOT_NAME}`)
  if (output === '-' && process.stdout.isTTY)
    throw new UsageError('a snapshot is no text for a terminal', `write it to a file: -o ${SNAPSHOT_NAME}`)
  // Before the target is read, which may take minutes.
  const file = output === '-' ? null : new NewFile(output, force)
  const line = new LiveLine()
  let finished = false
  try {
    const { TargetSession } = await import('../../session/open-session.js')
    const { snapshotRecords } = await import('../../snapshot/write-snapshot.js')
    const session = await openSaved(chooseWithProgram(targets, options), options)
    try {
      if (!(session instanceof TargetSession))
        throw new CommandError(`${targets[0]} is saved already`, 'copy the file')
      let bytes = 0
      for await (const record of snapshotRecords(session, contentsOf(options))) {
        await (file ? file.append(record) : toStdout(record))
        bytes += record.length
        line.show(`writing ${output === '-' ? 'the snapshot' : output}: ${bytesText(bytes)}`)
        // Signals are heard between records.
        await new Promise((resolve) => setImmediate(resolve))
      }
      line.clear()
      finished = true
      file?.finish()
      if (file) say(`wrote ${output}, ${bytesText(file.bytes)}; open it with: arena-inspect ${output}`)
      sayWhatIsMissing(session.report)
      return exitCodeOf(session.report, null, options.strict === true)
    } finally {
      await session.close()
    }
  } finally {
    line.clear()
    if (!finished) file?.discard()
  }
}

function contentsOf({ chunks, includeMemory }: SnapshotOptions): SnapshotContents {
  return {
    tool: `arena-inspect ${packageVersion()}`,
    madeAt: new Date(),
    chunks,
    memory: includeMemory === true,
  }
}

async function toStdout(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
}
