// The ledger: every resident byte of a process in one line, and what is left over.

/** The lines, in the order of the tables. */
export const LEDGER_LINES = [
  'malloc: live',
  'malloc: tcache',
  'malloc: fastbins',
  'malloc: bins, trimmable',
  'malloc: bins, pinned',
  'malloc: top',
  'malloc: overhead',
  'malloc: reserved',
  'malloc: not told apart',
  'mmapped chunks',
  'thread stacks',
  'main stack',
  'program, private',
  'program, shared',
  'libraries, private',
  'libraries, shared',
  'files',
  'shared memory',
  'kernel (vdso)',
  'other anonymous',
] as const

export type LedgerLine = (typeof LEDGER_LINES)[number]

/** One line with its bytes; `swapBytes` null where unknown. */
export interface LedgerEntry {
  readonly line: LedgerLine
  readonly residentBytes: number
  readonly swapBytes: number | null
}

/**
 * Where the resident memory is. The entries and unaccountedBytes sum to totalBytes exactly; unaccountedBytes is negative
 * where more was found than the kernel's total says (the process moved between two readings).
 */
export interface Ledger {
  /** `rss`: of a live process, against VmRSS. `saved`: pages that the core holds, which were in RAM or in swap. */
  readonly basis: 'rss' | 'saved'
  readonly totalBytes: number
  /** Lines that hold something. */
  readonly entries: readonly LedgerEntry[]
  readonly unaccountedBytes: number
  /** Of totalBytes. */
  readonly unaccountedPercent: number
  /** Not in totalBytes; null on a core. */
  readonly swapBytes: number | null
  /** Of totalBytes, in transparent huge pages; null on a core. */
  readonly hugeBytes: number | null
  /** hugetlbfs pages, which RSS does not count; null on a core. */
  readonly hugetlbBytes: number | null
}
