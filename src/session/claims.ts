// Malloc's knowledge of the address space, in the words of maps.
import type { HeapModel } from '../malloc/heap-model.js'
import type { Claim } from '../maps/claims.js'
import { offset } from '../memory/address.js'

/** The stretches that malloc holds, by category. */
export function claimsOf(heap: HeapModel): readonly Claim[] {
  const heaps = heap.arenas.flatMap((arena) =>
    arena.heaps.flatMap((segment): Claim[] => {
      const start = segment.address
      const committedEnd = offset(start, segment.committedBytes)
      if (arena.isMain) return [{ start, end: committedEnd, category: 'main heap' }]
      const end = offset(start, segment.reservedBytes)
      return [
        { start, end: committedEnd, category: 'arena heaps, committed' },
        { start: committedEnd, end, category: 'arena heaps, reserved' },
      ]
    }),
  )
  const mmapped = heap.mmapped.found.map(
    ({ address, bytes }): Claim => ({
      start: address,
      end: offset(address, bytes),
      category: 'mmapped chunks',
    }),
  )
  return [...heaps, ...mmapped]
}
