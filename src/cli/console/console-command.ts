// A command of the debug console: its name, its options, and what it prints.
import { parseArgs } from 'node:util'
import type { Debuggee } from '../../session/debuggee.js'
import { TargetSession } from '../../session/open-session.js'
import { ConsoleError, type Work } from '../../views/dap/services.js'

export interface ConsoleOption {
  readonly about: string
  /** What it takes; null: nothing. */
  readonly takes: string | null
}

/** The words of a line, parsed. */
export interface ConsoleWords {
  readonly positional: readonly string[]
  /** The value of an option that takes one. */
  value(name: string): string | undefined
  flag(name: string): boolean
}

export interface ConsoleCommand {
  readonly name: string
  /** What stands behind the name in `help`. */
  readonly usage: string
  readonly about: string
  readonly options: Readonly<Record<string, ConsoleOption>>
  /** Throws ConsoleError, UsageError or CommandError. */
  run(debuggee: Debuggee, words: ConsoleWords, work: Work): Promise<string> | string
}

/** `line` without the command's name. Throws ConsoleError. */
export function parseWords(command: ConsoleCommand, line: readonly string[]): ConsoleWords {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { takes }]) => [
      name,
      { type: takes === null ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({
      args: [...line],
      options,
      allowPositionals: true,
      strict: true,
    })
    return {
      positional: positionals,
      value: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
      flag: (name) => values[name] === true,
    }
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error
    const [what] = error.message.split(/[.'] /)
    throw new ConsoleError(`${command.name}: ${what}`, `usage: ${command.name} ${command.usage}`.trim())
  }
}

/** Words of a line; quotes keep spaces together, a backslash what is behind it. */
export function splitLine(line: string): string[] {
  const words: string[] = []
  for (const [, text] of line.matchAll(/((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+)/g)) {
    words.push(
      text!.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_, double, single, bare) =>
        double !== undefined ? double.replace(/\\(.)/g, '$1') : (single ?? bare),
      ),
    )
  }
  return words
}

/** The session with its target: what a snapshot has not. Throws ConsoleError. */
export function targetSession({ session }: Debuggee): TargetSession {
  if (session instanceof TargetSession) return session
  throw new ConsoleError('a snapshot holds no memory', 'open the core or the process itself')
}

/** The report's heap. Throws ConsoleError. */
export function heapOf({ session }: Debuggee) {
  const { heap } = session.report
  if (heap) return heap
  throw new ConsoleError('no glibc malloc was found here', 'maps shows where the memory is')
}

export function usageError(
  command: { readonly name: string; readonly usage: string },
  what: string,
): ConsoleError {
  return new ConsoleError(`${command.name}: ${what}`, `usage: ${command.name} ${command.usage}`.trim())
}
