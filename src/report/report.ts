// The versioned document that every view draws and that scripts read. Addresses are `0x…` strings, byte counts
// integers below 2^53; what could not be known is null.
import type { Finding } from '../findings/finding.js'
import type { RuleSettings } from '../findings/thresholds.js'
import type {
  ArenaResidency,
  HeapTotals,
  LayoutSource,
  MallocParameters,
  MovingArena,
} from '../malloc/heap-model.js'
import type { CategorySum } from '../maps/categories.js'
import type { Ledger } from '../maps/ledger.js'

export const SCHEMA = 'arena-inspect/1'

export interface ReportHeap {
  readonly address: string
  readonly sizeBytes: number
}

export interface ReportArena {
  readonly index: number
  readonly address: string
  readonly isMain: boolean
  readonly heaps: readonly ReportHeap[]
  readonly systemBytes: number | null
  readonly inUseBytes: number | null
  readonly freeBytes: number | null
  readonly fastbinBytes: number | null
  readonly binnedBytes: number | null
  readonly topBytes: number | null
  readonly freeChunks: number | null
  readonly attachedThreads: number | null
  /** inUseBytes = liveBytes + tcacheBytes + overheadBytes. */
  readonly liveBytes: number | null
  readonly usedChunks: number | null
  readonly tcacheBytes: number | null
  readonly tcacheChunks: number | null
  readonly overheadBytes: number | null
  readonly largestFreeBytes: number | null
  /** Address space kept for its heaps, and the readable and writable part of it. */
  readonly reservedBytes: number
  readonly committedBytes: number
  /** Every resident byte of its heaps by what holds it; null where unknown. */
  readonly resident: ArenaResidency | null
  /** What malloc_trim(0) would give back of it; null where unknown. */
  readonly trimReturnsBytes: number | null
  /** Set where a live arena changed during every read: the least and most that was seen of it. Null for all others. */
  readonly moving: MovingArena | null
  /**
   * Bytes of its heaps, damaged or not saved, of which no chunk could be told; 0 when every chunk was seen, null where
   * a heap itself is unknown.
   */
  readonly skippedBytes: number | null
  /** By powers of two; null where not every chunk was seen. */
  readonly sizeClasses: readonly ReportSizeClass[] | null
  readonly complete: boolean
}

/** Chunks with minBytes ≤ size < maxBytes, headers included: those the program holds, and those in bins. */
export interface ReportSizeClass {
  readonly minBytes: number
  readonly maxBytes: number
  readonly liveChunks: number
  readonly liveBytes: number
  readonly freeChunks: number
  readonly freeBytes: number
}

/** What malloc has for one thread. */
export interface ReportThread {
  readonly tid: number
  readonly name: string | null
  /** Index of its arena; null when unknown, or when it has none yet. */
  readonly arena: number | null
  readonly tcache: { readonly address: string; readonly chunks: number; readonly bytes: number } | null
}

export interface ReportAnomaly {
  readonly at: string
  readonly code: string
  readonly what: string
}

export interface ReportHeapModel {
  readonly arenas: readonly ReportArena[]
  readonly mmapped: { readonly count: number | null; readonly bytes: number | null }
  readonly totals: HeapTotals
  /** mp_; null when it was not found. */
  readonly parameters: MallocParameters | null
  /** Of all arenas, in finer classes: each size up to 1 KiB, then four to a power of two. */
  readonly sizeClasses: readonly ReportSizeClass[] | null
  readonly threads: readonly ReportThread[]
  readonly anomalies: readonly ReportAnomaly[]
}

/** A live process stood still while it was read: all figures are of one moment. */
export interface ReportStop {
  /** In all stops together; more than one where threads were inside of malloc at first. */
  readonly stoodStillMs: number
  readonly stops: number
}

export interface ReportTarget {
  readonly kind: 'core' | 'live' | 'gdb'
  readonly label: string
  readonly pid: number | null
  readonly executable: string | null
  readonly threads: number
  /** Null when it was not stopped: a core, or a process that was read while it ran. */
  readonly stop: ReportStop | null
  /** Null when the target has no glibc malloc that we could find. */
  readonly glibc: {
    readonly version: string | null
    readonly layoutFrom: LayoutSource
    /** Arenas that, read with this layout, agree with themselves to the last byte. */
    readonly confirmedArenas: number
  } | null
}

export interface Report {
  readonly schema: typeof SCHEMA
  /** False when any number is missing or a lower bound; `problems` says why. */
  readonly complete: boolean
  readonly problems: readonly string[]
  readonly target: ReportTarget
  /** Null when no glibc malloc was found. */
  readonly heap: ReportHeapModel | null
  readonly maps: { readonly categories: readonly CategorySum[] }
  /** Every resident byte in one line; null where residency is unknown. */
  readonly ledger: Ledger | null
  readonly findings: readonly Finding[]
  /** What the findings were judged by, where thresholds or rules differ from the defaults; absent where none does. */
  readonly rules?: RuleSettings
}
