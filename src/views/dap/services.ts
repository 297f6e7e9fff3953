// What the adapter asks of the command line: to open a target, and what the console's commands print.
import type { Debuggee } from '../../session/debuggee.js'

/** What `launch` and `attach` name: exactly one of core, pid and report. */
export interface OpenArguments {
  readonly core: string | null
  readonly program: string | null
  readonly pid: number | null
  /** A snapshot or a saved report. */
  readonly report: string | null
  readonly sysroot: string | null
  readonly gdbPath: string | null
  readonly stop: boolean
}

/** Work that may take long: it can be cancelled and tells how far it is. */
export interface Work {
  readonly signal: AbortSignal
  /** `percent` null: unknown. */
  tell(message: string, percent: number | null): void
  /** Lets other requests be answered; throws when it was cancelled. */
  breathe(): Promise<void>
}

/** One way to go on with a line of the console. */
export interface Completion {
  readonly text: string
  /** How many characters before the cursor it stands for. */
  readonly replaced: number
  readonly detail: string | null
}

export interface DapServices {
  readonly version: string
  /** Throws TargetError. */
  open(wanted: OpenArguments, work: Work): Promise<Debuggee>
  /** What a command of the console prints; null where the line is none. Throws ConsoleError. */
  run(debuggee: Debuggee, line: string, work: Work): Promise<string | null>
  /** Ways to go on with `before`, what stands before the cursor. */
  complete(before: string): readonly Completion[]
}

/** The console's line makes no sense, or there is no answer. */
export class ConsoleError extends Error {
  override readonly name = 'ConsoleError'
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}
