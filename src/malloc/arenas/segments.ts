// Where the chunks of an arena lie: one segment per heap, as the linear walk wants them.
import { type Address, address } from '../../memory/address.js'
import type { Segment } from '../chunks/segment.js'
import type { Heap } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'

/** What `segmentsOf` needs to know of an arena. */
export interface ArenaPlace {
  readonly address: Address
  readonly isMain: boolean
  readonly top: Address
  readonly heaps: readonly Heap[]
}

/** The first chunk at or after `from`: chunks are aligned so that user memory (2 words in) is. */
export function firstChunk(from: bigint, layout: GlibcLayout): bigint {
  const align = BigInt(layout.chunkAlign)
  const header = BigInt(2 * layout.wordBytes)
  return ((from + header + align - 1n) & ~(align - 1n)) - header
}

/** The segments of an arena, in the order of its heaps. */
export function segmentsOf(arena: ArenaPlace, layout: GlibcLayout): readonly Segment[] {
  return arena.heaps.map((heap) => {
    const end = heap.address + BigInt(heap.sizeBytes)
    // Of a broken chain the first heap, which holds malloc_state, can be missing.
    const holdsArena = arena.address >= heap.address && arena.address < end
    const behindHeaders = arena.isMain
      ? heap.address
      : holdsArena
        ? arena.address + BigInt(layout.arena.sizeBytes)
        : heap.address + BigInt(layout.heapInfo.sizeBytes)
    // Only an arena's first chunk is aligned up; later heaps start right behind their heap_info (malloc/arena.c).
    const first = holdsArena || arena.isMain ? firstChunk(behindHeaders, layout) : behindHeaders
    const holdsTop = arena.top >= heap.address && arena.top < end
    return {
      origin: address(heap.address),
      first: Number(first - heap.address),
      end: heap.sizeBytes,
      top: holdsTop ? Number(arena.top - heap.address) : -1,
      isMain: arena.isMain,
    }
  })
}
