// Where the chunks of a segment go on behind damage.
import { address } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import { firstChunk } from '../arenas/segments.js'
import { BlockReader } from '../chunks/block-reader.js'
import type { Segment } from '../chunks/segment.js'
import { type GlibcLayout, IS_MMAPPED, NON_MAIN_ARENA, PREV_INUSE } from '../layout.js'
import { lowerBound } from '../lower-bound.js'

/** A header is a chunk's when so many follow it, or fewer to a place that is known. */
const PROVING_CHUNKS = 8
// Behind a header that would do, so far it is looked for the one whose prev_size leads back to the damage.
const BACK_CHAIN_BYTES = 1 << 20
// What one segment's searches may cost: bytes looked at, and their price for chunks tried and pages that are not there.
const BUDGET = 512 << 20
const TRIAL_COST = 256
const ABSENT_COST = 16 << 10
const PAGE = 4096n

interface Head {
  readonly previousSize: number
  readonly flags: number
  readonly size: number
}

/**
 * Finds provable chunks of one segment. `nodes`: chunks that the arena's bins name, rising (`listNodes`). The work is
 * bounded: damage without end leaves the rest of the segment unknown.
 */
export class Resync {
  readonly #nodes: readonly number[]
  readonly #known: ReadonlySet<number>
  readonly #word: 8 | 4
  #budget = BUDGET

  constructor(
    readonly memory: PageCache,
    readonly segment: Segment,
    readonly layout: GlibcLayout,
    nodes: BigUint64Array,
  ) {
    this.#word = layout.wordBytes
    const start = segment.origin + BigInt(segment.first)
    const end = segment.origin + BigInt(segment.end)
    const own: number[] = []
    for (let k = lowerBound(nodes, start); k < nodes.length && nodes[k]! < end; k++) {
      if (firstChunk(nodes[k]!, layout) === nodes[k]) own.push(Number(nodes[k]! - segment.origin))
    }
    this.#nodes = own
    this.#known = new Set(own)
  }

  /** True when a chunk named by a bin begins inside [at + 1, end): no chunk at `at` can reach to `end`. */
  holdsNode(at: number, end: number): boolean {
    const next = this.#nodes[this.#nodeFrom(at + 1)]
    return next !== undefined && next < end
  }

  /** prev_size of the header at `at`, null when it cannot be read. */
  previousSize(at: number): number | null {
    const value = this.memory.word(this.segment.origin + BigInt(at), this.#word)
    return value === null ? null : Number(value)
  }

  /**
   * The first provable chunk at or behind `from`: named by a bin or by the arena as top, or the start of a row of
   * proper chunks. `damaged` is the chunk that stopped the walk. Null when there is none.
   */
  next(damaged: number, from: number): number | null {
    const { top } = this.segment
    let limit = top >= from ? top : this.segment.end
    let known = top >= from ? top : null
    for (let k = this.#nodeFrom(from); k < this.#nodes.length && this.#nodes[k]! < limit; k++) {
      this.#budget -= TRIAL_COST
      if (this.#budget < 0) break
      if (!this.#proves(this.#nodes[k]!)) continue
      known = this.#nodes[k]!
      limit = known
    }
    return this.#scan(damaged, from, limit) ?? known
  }

  #nodeFrom(at: number): number {
    let low = 0
    let high = this.#nodes.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#nodes[middle]! < at) low = middle + 1
      else high = middle
    }
    return low
  }

  #scan(damaged: number, from: number, limit: number): number | null {
    const { origin } = this.segment
    const { chunkAlign } = this.layout
    const reader = new BlockReader(this.memory.source, origin, limit)
    const headerBytes = 2 * this.#word
    let at = Number(firstChunk(origin + BigInt(from), this.layout) - origin)
    let found: number | null = null
    let last = limit
    while (at < last && this.#budget > 0) {
      const index = at + headerBytes <= limit ? reader.seek(at, headerBytes) : -1
      if (index < 0) {
        this.#budget -= ABSENT_COST
        const page = (origin + BigInt(at)) | (PAGE - 1n)
        at = Number(firstChunk(page + 1n, this.layout) - origin)
        continue
      }
      this.#budget -= chunkAlign
      const head = this.#headIn(reader.words, index)
      if (this.#isProper(head, at)) {
        const leadsBack = (head.flags & PREV_INUSE) === 0 && head.previousSize === at - damaged
        if ((leadsBack || found === null) && this.#proves(at)) {
          if (leadsBack) return at
          found = at
          last = Math.min(limit, at + BACK_CHAIN_BYTES)
        }
      }
      at += chunkAlign
    }
    return found
  }

  // A row of proper chunks from `at`, each in agreement with the next, to a known place or long enough.
  #proves(at: number): boolean {
    const { segment } = this
    const isMain = segment.isMain
    const headerBytes = 2 * this.#word
    let head = this.#head(at)
    for (let count = 0; count < PROVING_CHUNKS; count++) {
      this.#budget -= TRIAL_COST
      if (at === segment.top || (count > 0 && this.#known.has(at))) return true
      if (!head) return false
      if (count > 0 && head.size === 0) return this.#isClosing(head, at)
      if (count > 0 && isMain && head.size === headerBytes) {
        return this.#head(at + headerBytes)?.size === headerBytes
      }
      const fence = !isMain && head.size === headerBytes && segment.end - at <= 2 * headerBytes + 16
      if (!fence && !this.#isProper(head, at)) return false
      const end = at + head.size
      if (this.holdsNode(at, end)) return false
      const next = this.#head(end)
      if (!next) return false
      const used = (next.flags & PREV_INUSE) !== 0
      if (!used && next.previousSize !== head.size) return false
      // Only chunks in use of other arenas than main_arena have the flag; fenceposts have not.
      const flagged = (head.flags & NON_MAIN_ARENA) !== 0
      if (next.size !== 0 && !fence && flagged !== (used && !isMain) && !this.#isFence(next, end))
        return false
      at = end
      head = next
    }
    return true
  }

  // The remainder before the two closing fenceposts of a heap may be either.
  #isFence(head: Head, at: number): boolean {
    return (
      !this.segment.isMain && head.size === 2 * this.#word && this.segment.end - at <= 4 * this.#word + 16
    )
  }

  #isClosing(head: Head, at: number): boolean {
    const { segment, layout } = this
    const room = segment.end - at <= 2 * this.#word + layout.chunkAlign
    return !segment.isMain && segment.top < 0 && head.flags === PREV_INUSE && room
  }

  #isProper({ size, flags }: Head, at: number): boolean {
    if (size < 4 * this.#word || size % this.layout.chunkAlign !== 0 || (flags & IS_MMAPPED) !== 0)
      return false
    return at + size <= this.segment.end && !(this.segment.isMain && (flags & NON_MAIN_ARENA) !== 0)
  }

  #headIn(words: Uint32Array, index: number): Head {
    if (this.#word === 4) {
      const low = words[index + 1]!
      return { previousSize: words[index]!, flags: low & 7, size: (low & ~7) >>> 0 }
    }
    const low = words[index + 2]!
    return {
      previousSize: words[index + 1]! * 0x1_0000_0000 + words[index]!,
      flags: low & 7,
      size: words[index + 3]! * 0x1_0000_0000 + ((low & ~7) >>> 0),
    }
  }

  #head(at: number): Head | null {
    if (at + 2 * this.#word > this.segment.end) return null
    const place = this.segment.origin + BigInt(at)
    const sizeWord = this.memory.word(place + BigInt(this.#word), this.#word)
    const previous = this.memory.word(place, this.#word)
    if (sizeWord === null || previous === null) return null
    return {
      previousSize: Number(previous),
      flags: Number(sizeWord & 7n),
      size: Number(sizeWord & ~7n),
    }
  }
}

/** The first offset of a page behind the one that holds `at`. */
export function behindPage(segment: Segment, at: number): number {
  return Number(address(((segment.origin + BigInt(at)) | (PAGE - 1n)) + 1n) - segment.origin)
}
