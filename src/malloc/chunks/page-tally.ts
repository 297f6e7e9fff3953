// What a walk learns of pages: how much of each kind of chunk is in RAM, and what malloc_trim(0) would give back.
import type { Address } from '../../memory/address.js'
import type { PageRuns } from '../../memory/page-runs.js'
import type { WordBytes } from '../layout.js'
import type { Segment } from './segment.js'

/** Tells which pages of [start, end) are there; null where that cannot be known. */
export type PagesOf = (start: Address, end: Address) => PageRuns | null

/** What the pages of an arena are measured with. */
export interface PageRules {
  readonly pagesOf: PagesOf
  readonly pageBytes: number
  readonly wordBytes: WordBytes
  /** Chunks in fastbins by address, sorted: malloc_trim joins them to free neighbours first (up to 2.42). */
  readonly fastChunks: Float64Array
}

const NOWHERE = Number.POSITIVE_INFINITY

/**
 * Sums over the segments of one arena, in bytes. Chunks come in order of address within a segment, as offsets from its
 * origin; a used chunk has to be told only where it reaches beyond `next`.
 */
export class PageTally {
  /** Parts of chunks without memory behind them. Used: fastbin chunks included. */
  usedAbsent = 0
  fastAbsent = 0
  freeAbsent = 0
  topAbsent = 0
  /** Resident whole pages inside chunks of the bins. */
  trimmable = 0
  /** The same once fastbin chunks are joined to their free neighbours. */
  joinedTrimmable = 0
  /** Where top begins once fastbin chunks below it are joined to it; −1 before top was met. */
  topStart = -1
  /** False where residency of a segment is unknown. */
  known = true
  /** Offset of the next place of interest: a gap, or a chunk in a fastbin. */
  next = NOWHERE
  readonly #runs: PageRuns[] = []
  #pages: PageRuns | null = null
  #base = 0
  #fast = 0
  #nextFast = NOWHERE
  #runStart = -1
  #runEnd = -1

  constructor(readonly rules: PageRules) {}

  /** A walk of `segment` begins. */
  begin(segment: Segment): void {
    this.#close()
    const { rules } = this
    this.#base = Number(segment.origin)
    this.#pages = rules.pagesOf(segment.origin, (segment.origin + BigInt(segment.end)) as Address)
    if (this.#pages) this.#runs.push(this.#pages)
    else this.known = false
    this.#fast = firstAtLeast(rules.fastChunks, this.#base)
    this.#seek(segment.first)
  }

  /** A chunk in use that reaches beyond `next`. */
  used(at: number, size: number): void {
    const absent = this.#absent(at, size)
    this.usedAbsent += absent
    if (at === this.#nextFast) {
      this.fastAbsent += absent
      this.#join(at, size)
    }
    this.#seek(at + size)
  }

  /** A chunk of a bin. */
  free(at: number, size: number): void {
    if (at + size > this.next) {
      this.freeAbsent += this.#absent(at, size)
      this.#seek(at + size)
    }
    if (size >= this.rules.pageBytes) this.trimmable += this.#wholePages(at, size)
    if (this.rules.fastChunks.length > 0) this.#join(at, size)
  }

  top(at: number, size: number): void {
    this.topAbsent += this.#absent(at, size)
    const joined = this.#runEnd === at
    this.topStart = this.#base + (joined ? this.#runStart : at)
    if (joined) this.#runEnd = -1
    this.#close()
  }

  /** All segments were walked. */
  end(): void {
    this.#close()
    if (this.rules.fastChunks.length === 0) this.joinedTrimmable = this.trimmable
  }

  /** Bytes of [address, address + size), inside a walked segment, without memory behind them. */
  absentAt(address: number, size: number): number {
    for (const runs of this.#runs) {
      if (address >= runs.start && address < runs.end) return size - runs.bytesIn(address, address + size)
    }
    return 0
  }

  #absent(at: number, size: number): number {
    const from = this.#base + at
    return this.#pages ? size - this.#pages.bytesIn(from, from + size) : 0
  }

  // mtrim in malloc/malloc.c: whole pages behind the chunk's header and links (struct malloc_chunk: six words).
  #wholePages(at: number, size: number): number {
    const { pageBytes, wordBytes } = this.rules
    const head = 6 * wordBytes
    if (size <= pageBytes - 1 + head || !this.#pages) return 0
    const chunk = this.#base + at
    const start = Math.ceil((chunk + head) / pageBytes) * pageBytes
    const end = Math.floor((chunk + size) / pageBytes) * pageBytes
    return end > start ? this.#pages.bytesIn(start, end) : 0
  }

  #join(at: number, size: number): void {
    if (at !== this.#runEnd) {
      this.#close()
      this.#runStart = at
    }
    this.#runEnd = at + size
  }

  #close(): void {
    if (this.#runEnd > 0)
      this.joinedTrimmable += this.#wholePages(this.#runStart, this.#runEnd - this.#runStart)
    this.#runEnd = -1
  }

  #seek(from: number): void {
    const { fastChunks } = this.rules
    while (this.#fast < fastChunks.length && fastChunks[this.#fast]! - this.#base < from) this.#fast++
    const fast = fastChunks[this.#fast]
    this.#nextFast = fast === undefined ? NOWHERE : fast - this.#base
    let gap = NOWHERE
    if (this.#pages) {
      const start = this.#pages.gapStarts[this.#pages.gapEndingAfter(this.#base + from)]
      if (start !== undefined) gap = start - this.#base
    }
    this.next = Math.min(gap, this.#nextFast)
  }
}

function firstAtLeast(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
