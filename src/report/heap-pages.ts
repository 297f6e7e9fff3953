// What the pages of one heap hold: bytes of live, cached, free and other chunks, in cells of some pages.
import { CHUNK_STATES, type ChunkBatch, type ChunkState } from '../malloc/chunks/list-chunks.js'
import { HIGH_HALF, halvesOf, LOW_HALF } from '../memory/word-halves.js'

/** What a byte of a heap can be; `other` is headers, fenceposts, and what damage hides. */
export const PAGE_USES = ['live', 'cached', 'free', 'top', 'other'] as const
export type PageUse = (typeof PAGE_USES)[number]

const USE_OF: Readonly<Record<ChunkState, PageUse>> = {
  live: 'live',
  mmapped: 'live',
  tcache: 'cached',
  fastbin: 'cached',
  unsorted: 'free',
  binned: 'free',
  top: 'top',
  fencepost: 'other',
}
const USES = Uint8Array.from(CHUNK_STATES, (state) => PAGE_USES.indexOf(USE_OF[state]))
const OTHER = PAGE_USES.indexOf('other')
const PAGE_BYTES = 4096
const MOST_CELLS = 1 << 16

/** Bytes by use. */
export type UseBytes = Readonly<Record<PageUse, number>>

/** The cells of one heap, filled batch by batch. */
export class HeapPages {
  /** A power of two of pages. */
  readonly cellBytes: number
  readonly #bytes: Float64Array
  readonly #chunks: Uint32Array
  readonly #low: number
  readonly #high: number

  /** `name` tells one heap of one report from another; cells are as small as `mostCells` allows. */
  constructor(
    readonly name: string,
    readonly start: bigint,
    readonly sizeBytes: number,
    mostCells = MOST_CELLS,
  ) {
    let cellBytes = PAGE_BYTES
    while (sizeBytes / cellBytes > mostCells) cellBytes *= 2
    this.cellBytes = cellBytes
    const cells = Math.ceil(sizeBytes / cellBytes)
    this.#bytes = new Float64Array(cells * PAGE_USES.length)
    this.#chunks = new Uint32Array(cells)
    this.#low = Number(start & 0xffff_ffffn)
    this.#high = Number(start >> 32n)
  }

  /** Takes the chunks of `batch`, rows [first, end), that lie in the heap. */
  add(batch: ChunkBatch, first = 0, end = batch.count): void {
    const halves = halvesOf(batch.addresses)
    for (let row = first; row < end; row++) {
      const from =
        (halves[2 * row + HIGH_HALF]! - this.#high) * 0x1_0000_0000 +
        (halves[2 * row + LOW_HALF]! - this.#low)
      if (from < 0 || from >= this.sizeBytes || batch.arenas[row]! < 0) continue
      this.#addChunk(from, batch.sizes[row]!, USES[batch.states[row]!]!)
    }
  }

  #addChunk(from: number, sizeBytes: number, use: number): void {
    const end = Math.min(this.sizeBytes, from + sizeBytes)
    const { cellBytes } = this
    this.#chunks[Math.floor(from / cellBytes)]! += 1
    for (let at = from; at < end; ) {
      const cell = Math.floor(at / cellBytes)
      const next = Math.min(end, (cell + 1) * cellBytes)
      this.#bytes[cell * PAGE_USES.length + use]! += next - at
      at = next
    }
  }

  /** Bytes by use in [from, to) from the heap's start, both at cells; what no chunk tells is `other`. */
  uses(from: number, to: number): UseBytes {
    const sums = [0, 0, 0, 0, 0]
    const end = Math.min(to, this.sizeBytes)
    for (let cell = Math.floor(from / this.cellBytes); cell * this.cellBytes < end; cell++)
      for (const use of PAGE_USES.keys()) sums[use] = sums[use]! + this.#bytes[cell * PAGE_USES.length + use]!
    const known = sums.reduce((sum, bytes) => sum + bytes, 0) - sums[OTHER]!
    sums[OTHER] = Math.max(0, end - from - known)
    return { live: sums[0]!, cached: sums[1]!, free: sums[2]!, top: sums[3]!, other: sums[4]! }
  }

  /** Chunks that begin in [from, to). */
  chunks(from: number, to: number): number {
    let count = 0
    const end = Math.min(to, this.sizeBytes)
    for (let cell = Math.floor(from / this.cellBytes); cell * this.cellBytes < end; cell++)
      count += this.#chunks[cell]!
    return count
  }
}
