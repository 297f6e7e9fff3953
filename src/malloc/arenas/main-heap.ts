// Where main_arena's chunks lie: one run from sbrk_base to top, or several with foreign memory between them.
import { type Address, address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { BlockReader } from '../chunks/block-reader.js'
import type { Segment } from '../chunks/segment.js'
import type { Tally } from '../chunks/tally.js'
import { type WalkResult, walkSegment } from '../chunks/walk.js'
import type { Heap } from '../heap-model.js'
import { type GlibcLayout, PREV_INUSE } from '../layout.js'
import type { AnonymousStretch } from './anonymous-memory.js'
import { firstChunk } from './segments.js'

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
  /** Of a non-contiguous heap: the pieces that were found whole, and where the others can be. */
  readonly found?: readonly Heap[]
  readonly stretches?: readonly AnonymousStretch[]
}

const MOST_PIECES = 100_000
const PAGE = 4096
// What trial walks that lead nowhere may cost together, in chunks: memory can be made so that each of them is long.
const MOST_TRIED_CHUNKS = 1 << 24
// A trial that fails at once costs about as much as so many chunks.
const TRIAL_COST = 16
// And a page that cannot be read.
const ABSENT_COST = 64

/**
 * Finds and walks the main heap. Contiguous: from sbrk_base on; behind two fenceposts the next piece is the first
 * place from which a walk ends properly. Otherwise pieces are looked for in `stretches` until their sizes make up
 * system_mem. Chunks are added to `tally`, on failure those before it.
 */
export function walkMainHeap(
  memory: MemorySource,
  extent: MainExtent,
  layout: GlibcLayout,
  tally: Tally,
  stretches: () => readonly AnonymousStretch[],
): MainHeap | MainHeapFailure {
  const pieces = new Pieces(memory, extent, layout, tally)
  return extent.isContiguous ? pieces.alongBrk() : pieces.among(stretches())
}

class Pieces {
  readonly #heaps: Heap[] = []
  #bytes = 0
  #tried = 0

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
    const { systemBytes, sbrkBase } = this.extent
    const rest: AnonymousStretch[] = []
    for (const stretch of stretches.map((stretch) => behindOthers(stretch, sbrkBase))) {
      const taken = this.#piecesFrom(stretch, 0)
      if (this.#bytes === systemBytes) return this.#whole()
      if (taken < stretch.sizeBytes && stretch.mayScan) {
        const start = offset(stretch.start, taken)
        rest.push({ start, sizeBytes: stretch.sizeBytes - taken, mayScan: true })
      }
    }
    for (const stretch of rest) {
      const reader = new BlockReader(this.memory, stretch.start, stretch.sizeBytes)
      for (let at = 0; at < stretch.sizeBytes && this.#tried <= MOST_TRIED_CHUNKS; ) {
        const first = Number(firstChunk(stretch.start + BigInt(at), this.layout) - stretch.start)
        if (!this.#mayBegin(reader, first, stretch.sizeBytes)) {
          at = pageEnd(stretch.start, at + 1)
          continue
        }
        const taken = this.#piecesFrom(stretch, at)
        if (this.#bytes === systemBytes) return this.#whole()
        at = Math.max(pageEnd(stretch.start, at + 1), pageEnd(stretch.start, taken))
        // The walk used the reader's buffer.
        reader.forget()
      }
    }
    return { at: this.extent.top, ended: 'size', found: this.#heaps, stretches }
  }

  // Is there a first chunk? What it costs to ask counts: a stretch may be as large as the address space.
  #mayBegin(reader: BlockReader, first: number, end: number): boolean {
    const isThere = reader.seek(first, 2 * this.layout.wordBytes) >= 0
    this.#tried += isThere ? 1 : ABSENT_COST
    return isThere && isHead(reader, first, end, this.layout)
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
      const trial = this.#try(segment, segment.first)
      if (!trial) return at
      // A piece ends with a page; where the first chunk is not at its start (i386), the fenceposts end as far from its end.
      const length = trial.ended === 'top' ? segment.end : pageEnd(start, trial.stoppedAt)
      if (trial.ended === 'fencepost' && length - trial.stoppedAt >= this.layout.chunkAlign) return at
      this.#walk(segment, this.tally)
      if (trial.ended === 'fencepost') this.tally.fenceBytes += length - trial.stoppedAt
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
    for (let at = segment.first; at < segment.end && this.#tried <= MOST_TRIED_CHUNKS; ) {
      if (reader.seek(at, 2 * this.layout.wordBytes) < 0) {
        this.#tried += ABSENT_COST
        const page = (segment.origin + BigInt(at + PAGE)) & ~BigInt(PAGE - 1)
        at = Number(firstChunk(page, this.layout) - segment.origin)
        continue
      }
      if (isHead(reader, at, segment.end, this.layout)) {
        if (this.#try(segment, at)) return from + BigInt(at)
        // The walk used the reader's buffer.
        reader.forget()
      }
      at += this.layout.chunkAlign
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

  // A walk to a proper end, or null.
  #try(segment: Segment, from: number): WalkResult | null {
    if (this.#tried > MOST_TRIED_CHUNKS) return null
    let chunks = TRIAL_COST
    const visit = () => ++chunks + this.#tried > MOST_TRIED_CHUNKS
    const limited = this.#tried > 0 ? { visit } : {}
    const walk = walkSegment(this.memory, segment, this.layout.wordBytes, this.layout.chunkAlign, {
      from,
      ...limited,
    })
    if (walk.ended === 'top' || walk.ended === 'fencepost') return walk
    this.#tried += chunks
    return null
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

// The first page boundary at or after `at` bytes behind `start`, as bytes behind `start`.
function pageEnd(start: bigint, at: number): number {
  const into = Number(start & BigInt(PAGE - 1))
  return Math.ceil((into + at) / PAGE) * PAGE - into
}

// A static program's brk area begins with what others got before malloc did (its thread-local data).
function behindOthers(stretch: AnonymousStretch, sbrkBase: bigint): AnonymousStretch {
  const before = Number(sbrkBase - stretch.start)
  if (before <= 0 || before >= stretch.sizeBytes) return stretch
  return { ...stretch, start: address(sbrkBase), sizeBytes: stretch.sizeBytes - before }
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
