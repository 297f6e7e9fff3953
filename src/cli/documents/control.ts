// What the commands that run code inside a live process write under --json.
import type { TrueTotals } from '../../control/glibc-figures.js'
import type { Returned } from '../../control/trim.js'
import type { MallocInfo } from '../../malloc/malloc-info.js'
import type { MallocStats } from '../../malloc/malloc-stats.js'
import type { Difference } from '../../malloc/verify.js'

/** How the visit went. */
export interface VisitFigures {
  /** How long the process stood still. */
  readonly stoppedMs: number
  /** Of them inside of calls. */
  readonly callMs: number
  readonly calls: number
  /** Which thread made them. */
  readonly thread: number
  /** Attempts until no arena's lock was held. */
  readonly tries: number
  /** What made the calls: arena-inspect's own ptrace, or gdb's `call`. */
  readonly way: 'ptrace' | 'gdb'
  /** Why it was gdb; null when it was not. */
  readonly wayReason: string | null
}

interface Controlled<Schema extends string> {
  readonly schema: Schema
  readonly pid: number
  readonly visit: VisitFigures
}

export interface StatsDocument extends Controlled<'arena-inspect-stats/1'> {
  /** In 64 bits, mmapped chunks included; null where this malloc_info leaves them out. */
  readonly trueTotals: TrueTotals | null
  readonly mallocStats: (MallocStats & { readonly text: string | null }) | null
  /** Why there is no malloc_stats. */
  readonly mallocStatsProblem: string | null
  readonly mallocInfo: MallocInfo & { readonly xml: string }
}

export interface VerifiedArena {
  readonly index: number
  readonly systemBytes: number | null
  readonly maxSystemBytes: number | null
  readonly inUseBytes: number | null
  readonly freeBytes: number | null
  readonly freeChunks: number | null
}

export interface VerifyDocument extends Controlled<'arena-inspect-verify/1'> {
  readonly equal: boolean
  readonly differences: readonly Difference[]
  readonly ours: {
    readonly version: string | null
    readonly arenas: readonly VerifiedArena[]
    readonly mmapped: {
      readonly count: number | null
      readonly bytes: number | null
      readonly maxBytes: number | null
    }
    readonly totals: { readonly systemBytes: number | null; readonly inUseBytes: number | null }
  }
  readonly glibcs: {
    readonly mallocInfo: MallocInfo
    readonly mallocStats: MallocStats | null
    readonly mallocStatsProblem: string | null
  }
}

export interface TrimDone extends Controlled<'arena-inspect-trim/1'> {
  readonly dryRun: false
  /** What malloc_trim returned. */
  readonly released: boolean
  /** RSS. */
  readonly process: Returned
  readonly arenas: readonly (Returned & { readonly index: number; readonly address: string })[]
}

export interface TrimDryRun extends Controlled<'arena-inspect-trim/1'> {
  readonly dryRun: true
  readonly predictedBytes: number | null
  readonly possible: boolean
}

export type TrimDocument = TrimDone | TrimDryRun

export interface LimitDone extends Controlled<'arena-inspect-limit/1'> {
  readonly dryRun: false
  readonly wanted: number
  readonly way: 'mallopt' | 'write'
  /** Read back after it. */
  readonly arenaMax: number | null
  readonly narenasLimit: number | null
  readonly before: {
    readonly arenas: number
    readonly arenaTest: number | null
    readonly arenaMax: number | null
    readonly narenasLimit: number | null
  }
}

export interface LimitDryRun extends Controlled<'arena-inspect-limit/1'> {
  readonly dryRun: true
  readonly arenaMax: number
  readonly possible: boolean
  readonly way: 'mallopt' | 'write' | 'none'
}

export type LimitDocument = LimitDone | LimitDryRun
