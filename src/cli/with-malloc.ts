// What the commands about malloc's structures have in common: open, insist on glibc's malloc, say what is missing.
import type { InspectedSession } from '../session/inspected-session.js'
import { NO_GLIBC } from '../session/measure.js'
import { CommandError, type ExitCode } from './exit.js'
import { exitCodeOf, sayWhatIsMissing } from './finish.js'
import { chooseWithProgram, openSaved, type TargetOptions } from './target-arguments.js'

/** Runs `show` on an opened target that has glibc's malloc; throws CommandError when it has not. */
export async function withMalloc(
  targets: readonly string[],
  options: TargetOptions,
  show: (session: InspectedSession) => void | Promise<void>,
): Promise<ExitCode> {
  const session = await openSaved(chooseWithProgram(targets, options), options)
  try {
    if (!session.report.heap) throw new CommandError(NO_GLIBC, 'arena-inspect maps shows where the memory is')
    await show(session)
    sayWhatIsMissing(session.report)
    return exitCodeOf(session.report, null, options.strict === true)
  } finally {
    await session.close()
  }
}
