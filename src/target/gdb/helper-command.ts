// Commands of gdb-scripts/arena_inspect_answers.py: one line of JSON among whatever else gdb prints.
import type { CommandOptions, GdbSession } from '../../mi/gdb-session.js'
import { MiError } from '../../mi/mi-error.js'

const PREFIX = 'arena-inspect-json '

/** Runs one of the script's commands and returns its JSON. Throws MiError, `protocol` when no JSON came. */
export async function helperCommand(
  session: GdbSession,
  command: string,
  options?: CommandOptions,
): Promise<unknown> {
  const text = await session.console(command, options)
  const start = text.indexOf(PREFIX)
  const end = text.indexOf('\n', start)
  if (start < 0 || end < 0) throw new MiError('protocol', command, 'no JSON in the answer')
  try {
    return JSON.parse(text.slice(start + PREFIX.length, end))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new MiError('protocol', command, `bad JSON in the answer: ${error.message}`)
  }
}
