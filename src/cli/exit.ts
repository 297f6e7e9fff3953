// The exit codes and the errors that end a command.
import { MiError } from '../mi/mi-error.js'
import { TargetError } from '../target/target.js'

/** See the README's table; scripts rely on them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  finding: 3,
  partial: 4,
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The command line makes no sense; `hint` says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** The command could not do its work; `hint` is the next step. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** One line for the user with the next step, and the exit code. Null for what is a defect of ours. */
export function explain(error: unknown): { line: string; code: ExitCode } | null {
  if (error instanceof UsageError) return { line: `${error.message}; ${error.hint}`, code: EXIT.usage }
  if (error instanceof TargetError || error instanceof CommandError || error instanceof MiError) {
    return { line: `${error.message}; ${error.hint}`, code: EXIT.failed }
  }
  return null
}
