// Where main_arena's chunks lie: one run from sbrk_base to top, or several with foreign memory between them.
import { type Address, address, offset } from '../memory/address.js'
import type { MemorySource } from '../memory/memory-source.js'
import type { AnonymousStretch } from './anonymous-memory.js'
import { BlockReader } from './block-reader.js'
import type { Heap } from './heap-model.js'
import { type GlibcLayout, PREV_INUSE } from './layout.js'
import { firstChunk } from './segments.js'
import { Tally } from './tally.js'
import { type Segment, type WalkResult, walkSegment } from './walk.js'

/** What main_arena's header says of its extent. */
export interface MainExtent {
  readonly top: Address
  readonly topBytes: number
  readonly systemBytes: number
  readonly sbrkBase: bigint
  /** Flag NONCONTIGUOUS: brk failed once, further memory came from mmap. */
  readonly isContiguous: boolean
}

/** The pieces of the main heap, walked. */
export interface MainHeap {
  readonly heaps: readonly Heap[]
  readonly tally: Tally
  /** Counted in system bytes, but of others: what somebody else got from sbrk between two pieces. */
  readonly foreignBytes: number
}

/** A piece that could be found nowhere: how the walk of the one before it ended. */
export interface MainHeapFailure {
  readonly at: Address
  readonly ended: WalkResult['ended']
}

const MOST_PIECES = 100_000
const PAGE = 4096

/**
 * Finds and walks the main heap. Contiguous: from sbrk_base on; behind two fenceposts the next piece is the first
 * place from which a walk ends properly. Otherwise pieces are looked for in `stretches` until their sizes make up
 * system_mem.
 */
export function walkMainHeap(
  memory: MemorySource,
  extent: MainExtent,
  layout: GlibcLayout,
  watched: ReadonlySet<number>,
  stretches: () => readonly AnonymousStretch[],
): MainHeap | MainHeapFailure {
  const pieces = new Pieces(memory, extent, layout, new Tally(watched))
  return extent.isContiguous ? pieces.alongBrk() : pieces.among(stretches())
}

class Pieces {
  readonly #heaps: Heap[] = []
  #bytes = 0

  constructor(
    readonly memory: MemorySource,
    readonly extent: MainExtent,
    readonly layout: GlibcLayout,
    readonly tally: Tally,
  ) {}

  alongBrk(): MainHeap | MainHeapFailure {
    const { top, topBytes, sbrkBase } = this.extent
    const limit = top + BigInt(topBytes)
    let foreignBytes = 0
    let start: bigint = sbrkBase
    while (this.#heaps.length < MOST_PIECES) {
      const segment = this.#segment(start, limit)
      const walk = this.#walk(segment, this.tally)
      if (walk.ended === 'top') {
        this.#add(start, limit)
        return { heaps: this.#heaps, tally: this.tally, foreignBytes }
      }
      const stopped = offset(segment.origin, walk.stoppedAt)
      if (walk.ended !== 'fencepost') return { at: stopped, ended: walk.ended }
      this.#add(start, stopped)
      const next = this.#nextPiece(stopped, limit)
      if (next === null) return { at: stopped, ended: 'size' }
      foreignBytes += Number(next - stopped)
      start = next
    }
    return { at: address(start), ended: 'size' }
  }

  among(stretches: readonly AnonymousStretch[]): MainHeap | MainHeapFailure {
    const { systemBytes } = this.extent
    const rest: AnonymousStretch[] = []
    for (const stretch of stretches) {
      const taken = this.#piecesFrom(stretch, 0)
      if (this.#bytes === systemBytes) return this.#whole()
      if (taken < stretch.sizeBytes && stretch.mayScan) {
        const start = offset(stretch.start, taken)
        rest.push({ start, sizeBytes: stretch.sizeBytes - taken, mayScan: true })
      }
    }
    for (const stretch of rest) {
      for (let at = 0; at < stretch.sizeBytes; ) {
        const taken = this.#piecesFrom(stretch, at)
        if (this.#bytes === systemBytes) return this.#whole()
        at = Math.max(at + PAGE, wholePages(taken))
      }
    }
    return { at: this.extent.top, ended: 'size' }
  }

  #whole(): MainHeap {
    this.#heaps.sort((a, b) => (a.address < b.address ? -1 : 1))
    return { heaps: this.#heaps, tally: this.tally, foreignBytes: 0 }
  }

  // Pieces back to back from `at` of a stretch; answers where they end.
  #piecesFrom(stretch: AnonymousStretch, at: number): number {
    for (;;) {
      const start = stretch.start + BigInt(at)
      const end = stretch.start + BigInt(stretch.sizeBytes)
      const holdsTop = this.extent.top >= start && this.extent.top < end
      const limit = holdsTop ? this.extent.top + BigInt(this.extent.topBytes) : end
      const segment = this.#segment(start, limit)
      if (!this.#looksLikeChunk(segment)) return at
      const trial = this.#walk(segment, undefined)
      if (trial.ended !== 'top' && trial.ended !== 'fencepost') return at
      // A piece is whole pages; where the first chunk is not at its start (i386), the fenceposts end as far from its end.
      const length = trial.ended === 'top' ? segment.end : wholePages(trial.stoppedAt)
      if (trial.ended === 'fencepost' && length - trial.stoppedAt >= this.layout.chunkAlign) return at
      this.#walk(segment, this.tally)
      this.#add(start, start + BigInt(length))
      at += length
      if (at >= stretch.sizeBytes || this.#bytes >= this.extent.systemBytes) return at
    }
  }

  #looksLikeChunk(segment: Segment): boolean {
    const reader = new BlockReader(this.memory, segment.origin, segment.end)
    return isHead(reader, segment.first, segment.end, this.layout)
  }

  // The first place behind `from` from which a walk comes to top or to the next fenceposts.
  #nextPiece(from: Address, limit: bigint): bigint | null {
    const segment = this.#segment(from, limit)
    const reader = new BlockReader(this.memory, segment.origin, segment.end)
    for (let at = segment.first; at < segment.end; at += this.layout.chunkAlign) {
      if (!isHead(reader, at, segment.end, this.layout)) continue
      const { ended } = walkSegment(this.memory, segment, this.layout.wordBytes, this.layout.chunkAlign, {
        from: at,
      })
      if (ended === 'top' || ended === 'fencepost') return from + BigInt(at)
      // The walk used the reader's buffer.
      reader.forget()
    }
    return null
  }

  #segment(start: bigint, limit: bigint): Segment {
    const { top } = this.extent
    return {
      origin: address(start),
      first: Number(firstChunk(start, this.layout) - start),
      end: Number(limit - start),
      top: top >= start && top < limit ? Number(top - start) : -1,
      isMain: true,
    }
  }

  #walk(segment: Segment, tally: Tally | undefined): WalkResult {
    const options = tally ? { tally } : {}
    return walkSegment(this.memory, segment, this.layout.wordBytes, this.layout.chunkAlign, options)
  }

  #add(start: bigint, end: bigint): void {
    const sizeBytes = Number(end - start)
    this.#bytes += sizeBytes
    this.#heaps.push({
      address: address(start),
      sizeBytes,
      committedBytes: sizeBytes,
      reservedBytes: sizeBytes,
    })
  }
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE) * PAGE
}

// A first chunk: PREV_INUSE and no other flag, a possible size, and nothing in prev_size.
function isHead(reader: BlockReader, at: number, end: number, layout: GlibcLayout): boolean {
  const word = layout.wordBytes
  if (at + 2 * word > end) return false
  const index = reader.seek(at, 2 * word)
  if (index < 0) return false
  const { words } = reader
  const low = words[index + word / 4]!
  const high = word === 8 ? words[index + 3]! : 0
  if ((low & 7) !== PREV_INUSE || words[index] !== 0 || (word === 8 && words[index + 1] !== 0)) return false
  const size = high * 0x1_0000_0000 + ((low & ~7) >>> 0)
  return size >= 4 * word && size % layout.chunkAlign === 0 && at + size <= end
}
