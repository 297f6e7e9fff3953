// How to run gdb.
import type { TranscriptDirection } from '../../mi/gdb-session.js'

export interface GdbOptions {
  /** Default `gdb`, found in PATH. */
  readonly gdbPath?: string
  /** Gets every line between us and gdb. */
  readonly transcript?: (direction: TranscriptDirection, line: string) => void
  /** For one gdb command; default 60 s. */
  readonly timeoutMs?: number
  /** No signal is ever sent to gdb: see GdbSessionOptions. */
  readonly spared?: boolean
}
