// The versioned document of what changed between two reports. `from` is of A, `to` of B; what either does not know is null.
import type { Severity } from '../findings/finding.js'
import type { Category } from '../maps/categories.js'
import type { LedgerLine } from '../maps/ledger.js'
import type { Metric } from './metrics.js'

export const DIFF_SCHEMA = 'arena-inspect-diff/1'

/** One number in A and in B. `grew` is to − from, below 0 where it shrank; null when either is unknown. */
export interface Growth {
  readonly from: number | null
  readonly to: number | null
  readonly grew: number | null
  /** Of `from`; null when that is 0 or unknown. */
  readonly grewPercent: number | null
}

/** Of something that is in both, in B only, in A only; `unknown` where one side may not have seen all. */
export type Presence = 'both' | 'new' | 'gone' | 'unknown'

export interface DiffSide {
  /** `report`: a saved report or a snapshot keeps the kind of its target. */
  readonly kind: 'core' | 'live' | 'gdb'
  readonly label: string
  readonly pid: number | null
  readonly executable: string | null
  readonly glibcVersion: string | null
  readonly complete: boolean
}

export interface DiffFigure extends Growth {
  readonly metric: Metric
  readonly unit: 'bytes' | 'count'
}

export interface DiffCategory {
  readonly category: Category
  readonly virtualBytes: Growth
  readonly residentBytes: Growth
}

export interface DiffLedgerLine extends Growth {
  readonly line: LedgerLine | 'unaccounted'
}

export interface DiffArena {
  readonly presence: Presence
  /** Its position in the ring; null where it is not. */
  readonly indexInA: number | null
  readonly indexInB: number | null
  /** In B, of one that is gone in A. */
  readonly address: string
  readonly systemBytes: Growth
  readonly inUseBytes: Growth
  readonly freeBytes: Growth
}

/** Chunks with minBytes ≤ size < maxBytes, headers included, of all arenas. */
export interface DiffSizeClass {
  readonly minBytes: number
  readonly maxBytes: number
  readonly liveBytes: Growth
  readonly liveChunks: Growth
  readonly freeBytes: Growth
}

/** One thread, of the same process; of two processes all threads with one name. */
export interface DiffThread {
  readonly presence: Presence
  /** Null: all of that name. */
  readonly tid: number | null
  readonly name: string | null
  readonly threads: Growth
  readonly tcacheBytes: Growth
}

export interface DiffFinding {
  readonly rule: string
  readonly state: 'new' | 'gone' | 'worse' | 'better' | 'same'
  readonly severityInA: Severity | null
  readonly severityInB: Severity | null
  readonly titleInA: string | null
  readonly titleInB: string | null
}

export interface Diff {
  readonly schema: typeof DIFF_SCHEMA
  /** False when either report is partial. */
  readonly complete: boolean
  /** What could not be compared, and what is partial, in sentences. */
  readonly problems: readonly string[]
  readonly a: DiffSide
  readonly b: DiffSide
  /** One process at two moments: arenas go by address, threads by id. Else arenas go by index, threads by name. */
  readonly sameProcess: boolean
  readonly figures: readonly DiffFigure[]
  readonly categories: readonly DiffCategory[]
  /** Null where a side has no ledger. */
  readonly ledger: readonly DiffLedgerLine[] | null
  /** Null, as sizeClasses and threads, where a side has no glibc malloc. */
  readonly arenas: readonly DiffArena[] | null
  readonly sizeClasses: readonly DiffSizeClass[] | null
  readonly threads: readonly DiffThread[] | null
  readonly findings: readonly DiffFinding[]
}
