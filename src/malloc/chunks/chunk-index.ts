// Which chunks lie in a stretch of memory: the linear walk, started near by.
import type { Address } from '../../memory/address.js'
import { address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { segmentsOf } from '../arenas/segments.js'
import { listNodes } from '../damage/list-nodes.js'
import { walkDamaged } from '../damage/walk-damaged.js'
import type { Arena } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import type { Segment } from './segment.js'
import { type ChunkKind, type WalkOptions, walkSegment } from './walk.js'

/** One chunk, or what malloc keeps for itself at the start of a heap (`arena`: heap_info and malloc_state). */
export interface Chunk {
  readonly address: Address
  readonly sizeBytes: number
  readonly state: ChunkKind | 'arena'
  readonly arenaIndex: number
}

interface Indexed {
  readonly segment: Segment
  readonly arena: Arena
  /** Offsets of known chunks, rising, at least CHECKPOINT_BYTES apart; the first is the segment's first chunk. */
  readonly checkpoints: number[]
}

const CHECKPOINT_BYTES = 1 << 20

/** Chunks by address for the arenas of one reading. Memory that moves (`stable` false) is walked anew each time. */
export class ChunkIndex {
  readonly #heaps: readonly Indexed[]
  /** Of arenas that hold damage, by ring position. */
  readonly #nodes = new Map<number, BigUint64Array>()

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
          arena,
          checkpoints: [segment.first],
        })),
      )
      .sort((a, b) => (a.segment.origin < b.segment.origin ? -1 : 1))
  }

  /** The chunks that overlap [start, end), in order; none outside heaps or where damage hides them. */
  chunksIn(start: Address, end: Address): readonly Chunk[] {
    return this.#heaps
      .filter(({ segment }) => segment.origin < end && offset(segment.origin, segment.end) > start)
      .flatMap((heap) => this.#inHeap(heap, start, end))
  }

  #inHeap(heap: Indexed, start: Address, end: Address): readonly Chunk[] {
    const { segment, arena } = heap
    const arenaIndex = arena.index
    const from = Math.max(0, Number(start - segment.origin))
    const to = Math.min(segment.end, Number(end - segment.origin))
    const chunks: Chunk[] = []
    const add = (at: number, sizeBytes: number, state: Chunk['state']) =>
      chunks.push({ address: address(segment.origin + BigInt(at)), sizeBytes, state, arenaIndex })
    if (from < segment.first && segment.first > 0) add(0, segment.first, 'arena')
    const { checkpoints } = heap
    let begin = segment.first
    for (const known of checkpoints) if (known <= from) begin = known
    this.#walk(heap, {
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

  #walk({ segment, arena }: Indexed, options: WalkOptions): void {
    const { memory, layout } = this
    if (!arena.skippedBytes) {
      walkSegment(memory, segment, layout.wordBytes, layout.chunkAlign, options)
      return
    }
    const cache = new PageCache(memory)
    const known = this.stable ? this.#nodes.get(arena.index) : undefined
    const nodes = known ?? listNodes(cache, arena.address, layout, arena.systemBytes ?? 0)
    this.#nodes.set(arena.index, nodes)
    walkDamaged(cache, segment, layout, nodes, options)
  }
}
