// A Session with what a debugger shows besides: threads, modules, stacks. What the debug adapter holds.
import type { Code } from '../target/code.js'
import type { Module } from '../target/target.js'
import type { Session } from './session.js'

export {
  type Code,
  type CodeFrame,
  type CodeInstruction,
  CodeRefusal,
  type CodeRegister,
  type CodeVariable,
  type FramePlace,
  type SourceFile,
} from '../target/code.js'
export { type Module, TargetError } from '../target/target.js'

export interface DebuggeeThread {
  readonly tid: number
  readonly name: string | null
}

export interface Debuggee {
  readonly session: Session
  /** Frames and variables; null where nothing stands still to be looked at, and then `whyNoCode` says so. */
  readonly code: Code | null
  readonly whyNoCode: string | null
  /** The signal that ended a core's process. */
  readonly signal: number | null
  /** What the user should know of how it was opened, e.g. missing debug files. */
  warnings(): readonly string[]
  threads(): readonly DebuggeeThread[]
  /** Empty where they are not known. */
  modules(): readonly Module[]
  /** A live process runs on. */
  close(): Promise<void>
}

/** A session without a target behind it: a snapshot or a saved report. Owns the session. */
export function debuggeeOf(session: Session, whyNoCode: string): Debuggee {
  return {
    session,
    code: null,
    whyNoCode,
    signal: null,
    warnings: () => [],
    threads: () => session.report.heap?.threads ?? [],
    modules: () => [],
    close: () => session.close(),
  }
}
