// The debug console: a line to a command, and ways to go on with a line.
import type { Debuggee } from '../../session/debuggee.js'
import { type Completion, ConsoleError, type Work } from '../../views/dap/services.js'
import { CommandError, UsageError } from '../exit.js'
import { chunks } from './chunk-command.js'
import { type ConsoleCommand, parseWords, splitLine } from './console-command.js'
import { MEMORY_COMMANDS } from './memory-commands.js'
import { REPORT_COMMANDS } from './report-commands.js'

const COMMANDS: readonly ConsoleCommand[] = [...REPORT_COMMANDS, chunks, ...MEMORY_COMMANDS]
const GDB = '-exec'

/** What the line prints; null where its first word is no command. Throws ConsoleError. */
export async function runLine(debuggee: Debuggee, line: string, work: Work): Promise<string | null> {
  const [name, ...rest] = splitLine(line)
  if (name === 'help' && rest.length <= 1) return help(rest[0])
  const command = COMMANDS.find((one) => one.name === name)
  if (!command) return null
  try {
    return await command.run(debuggee, parseWords(command, rest), work)
  } catch (error) {
    if (error instanceof UsageError || error instanceof CommandError)
      throw new ConsoleError(error.message, error.hint)
    throw error
  }
}

function help(name: string | undefined): string {
  const command = COMMANDS.find((one) => one.name === name)
  if (command) {
    const options = Object.entries(command.options).map(
      ([option, { about, takes }]) => `  ${`--${option} ${takes ?? ''}`.padEnd(24)} ${about}`,
    )
    return [`${command.name} ${command.usage}`, command.about, ...options].join('\n')
  }
  return [
    ...COMMANDS.map(({ name: own, about }) => `${own.padEnd(14)} ${about}`),
    `${GDB} COMMAND  a command of gdb, where it has the core or the stopped process`,
    'EXPRESSION     a value in the selected frame, by gdb',
    'help COMMAND   what it takes',
  ].join('\n')
}

/** Names of commands, then options of the one that is there. */
export function completeLine(before: string): readonly Completion[] {
  const words = before.trimStart().split(/\s+/)
  const typed = words.at(-1) ?? ''
  if (words.length <= 1) {
    const names = [
      ...COMMANDS.map(({ name, about }) => ({ name, about })),
      { name: GDB, about: 'a command of gdb' },
    ]
    return names
      .filter(({ name }) => name.startsWith(typed))
      .map(({ name, about }) => ({ text: name, replaced: typed.length, detail: about }))
  }
  const command = COMMANDS.find(({ name }) => name === words[0])
  if (!command) return []
  return Object.entries(command.options)
    .filter(([option]) => `--${option}`.startsWith(typed))
    .map(([option, { about }]) => ({ text: `--${option}`, replaced: typed.length, detail: about }))
}
