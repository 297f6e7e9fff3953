// Which chunks lie in a stretch of memory: the linear walk, started near by.
import type { Address } from '../memory/address.js'
import { address, offset } from '../memory/address.js'
import type { MemorySource } from '../memory/memory-source.js'
import type { Arena } from './heap-model.js'
import type { GlibcLayout } from './layout.js'
import { segmentsOf } from './segments.js'
import { type ChunkKind, type Segment, walkSegment } from './walk.js'

/** One chunk, or what malloc keeps for itself at the start of a heap (`arena`: heap_info and malloc_state). */
export interface Chunk {
  readonly address: Address
  readonly sizeBytes: number
  readonly state: ChunkKind | 'arena'
  readonly arenaIndex: number
}

interface Indexed {
  readonly segment: Segment
  readonly arenaIndex: number
  /** Offsets of known chunks, rising, at least CHECKPOINT_BYTES apart; the first is the segment's first chunk. */
  readonly checkpoints: number[]
}

const CHECKPOINT_BYTES = 1 << 20

/** Chunks by address for the arenas of one reading. Memory that moves (`stable` false) is walked anew each time. */
export class ChunkIndex {
  readonly #heaps: readonly Indexed[]

  constructor(
    readonly memory: MemorySource,
    readonly layout: GlibcLayout,
    arenas: readonly Arena[],
    readonly stable: boolean,
  ) {
    this.#heaps = arenas
      .filter((arena) => arena.top !== null)
      .flatMap((arena) =>
        segmentsOf({ ...arena, top: arena.top! }, layout).map((segment) => ({
          segment,
          arenaIndex: arena.index,
          checkpoints: [segment.first],
        })),
      )
      .sort((a, b) => (a.segment.origin < b.segment.origin ? -1 : 1))
  }

  /** The chunks that overlap [start, end), in order; none outside heaps or behind damage. */
  chunksIn(start: Address, end: Address): readonly Chunk[] {
    return this.#heaps
      .filter(({ segment }) => segment.origin < end && offset(segment.origin, segment.end) > start)
      .flatMap((heap) => this.#inHeap(heap, start, end))
  }

  #inHeap(heap: Indexed, start: Address, end: Address): readonly Chunk[] {
    const { segment, arenaIndex } = heap
    const from = Math.max(0, Number(start - segment.origin))
    const to = Math.min(segment.end, Number(end - segment.origin))
    const chunks: Chunk[] = []
    const add = (at: number, sizeBytes: number, state: Chunk['state']) =>
      chunks.push({ address: address(segment.origin + BigInt(at)), sizeBytes, state, arenaIndex })
    if (from < segment.first && segment.first > 0) add(0, segment.first, 'arena')
    const { checkpoints } = heap
    let begin = segment.first
    for (const known of checkpoints) if (known <= from) begin = known
    walkSegment(this.memory, segment, this.layout.wordBytes, this.layout.chunkAlign, {
      from: begin,
      visit: (at, size, kind) => {
        if (at >= to) return true
        if (this.stable && at >= checkpoints.at(-1)! + CHECKPOINT_BYTES) checkpoints.push(at)
        if (at + size > from) add(at, size, kind)
        return false
      },
    })
    return chunks
  }
}
