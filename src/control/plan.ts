// What gdb-scripts/arena_inspect_visit.py is asked and what it answers, as JSON.

/** One call of a visit: malloc_info, malloc_stats, malloc_trim, mallopt, or a size_t written by address. */
export type CallName = 'info' | 'stats' | 'trim' | 'mallopt' | 'write'

/** Stops of the script in which this side looks at the stopped process. */
export type PauseName = 'before' | 'after'

/** Addresses are JSON numbers: every user address is below 2^53. */
export interface Plan {
  readonly pid: number
  /** gdb's way: path of the Unix socket on which it tells what it does; when that closes, it puts everything back and ends. */
  readonly socket?: string
  readonly wordBytes: 8 | 4
  readonly functions: Readonly<Record<string, number>>
  readonly mallocText: readonly [number, number]
  readonly singleThreaded: number | null
  readonly stderrVariable: number
  /** The functions of a FILE that is not wide; null where libc does not export them. */
  readonly fileJumps: number | null
  readonly mainArena: number
  readonly nextOffset: number
  /** Files whose unwind tables are read, while the process runs, when a stack cannot be judged without. */
  readonly modules: readonly { readonly file: string; readonly bias: number }[]
  readonly calls: readonly CallName[]
  readonly pauses: readonly PauseName[]
  /** Of malloc_trim. */
  readonly pad?: number
  /** [parameter, value] of mallopt. */
  readonly mallopt?: readonly [number, number]
  /** [address, value] of the size_t to write. */
  readonly write?: readonly [number, number]
  /** How long another moment is waited for when a lock is held. */
  readonly retrySeconds: number
  /** How long one pause may take before the process goes on. */
  readonly pauseSeconds: number
}

/** An event on the socket, one JSON object a line. */
export type VisitEvent =
  | { readonly event: 'pause'; readonly name: PauseName }
  | { readonly event: 'call'; readonly name: CallName }
  | { readonly event: 'retry'; readonly why: string }
  | { readonly event: 'answer'; readonly answer: ScriptAnswer }

/** Why there was no call, by the script's own code. */
export interface ScriptRefusal {
  readonly code: string
  readonly why: string
}

/** What each call returned: text of malloc_info and malloc_stats (null: it did not fit), else a number. */
export interface CallResults {
  readonly info?: string | null
  readonly stats?: string | null
  readonly trim?: number
  readonly mallopt?: number
  /** What was there before. */
  readonly write?: number
}

export type ScriptAnswer =
  | {
      readonly refused?: undefined
      readonly results: CallResults
      readonly errors: Readonly<Record<string, ScriptRefusal>>
      /** The thread that made the calls, and whether it was taken out of a system call. */
      readonly thread: number
      readonly inSystemCall: boolean
      readonly arenas: number
      readonly tries: number
      /** From the attach that held to the detach. */
      readonly stoppedMs: number
      /** Of that, inside called functions. */
      readonly callMs: number
      /** Functions called, those that prepare and put back included. */
      readonly calls: number
    }
  | { readonly refused: ScriptRefusal; readonly tries: number }
