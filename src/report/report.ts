// The versioned document that every view draws and that scripts read. Addresses are `0x…` strings, byte counts
// integers below 2^53; what could not be known is null.
import type { Finding } from '../findings/finding.js'
import type { LayoutSource } from '../malloc/heap-model.js'
import type { CategorySum } from '../maps/categories.js'

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
  readonly complete: boolean
}

export interface ReportAnomaly {
  readonly at: string
  readonly code: string
  readonly what: string
}

export interface ReportHeapModel {
  readonly arenas: readonly ReportArena[]
  readonly mmapped: { readonly count: number | null; readonly bytes: number | null }
  readonly totals: {
    readonly systemBytes: number | null
    readonly inUseBytes: number | null
    readonly freeBytes: number | null
  }
  readonly anomalies: readonly ReportAnomaly[]
}

export interface ReportTarget {
  readonly kind: 'core' | 'live' | 'gdb'
  readonly label: string
  readonly pid: number | null
  readonly executable: string | null
  readonly threads: number
  /** Null when the target has no glibc malloc that we could find. */
  readonly glibc: { readonly version: string | null; readonly layoutFrom: LayoutSource } | null
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
  readonly findings: readonly Finding[]
}
