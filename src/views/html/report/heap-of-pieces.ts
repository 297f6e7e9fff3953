// Which of malloc's heaps a piece of the address space belongs to.
import type { Category } from '../../../maps/categories.js'
import type { Piece } from '../../../maps/categorize.js'
import { sizeOf } from '../../../memory/region.js'
import type { ReportArena } from '../../../report/report.js'

const OF_HEAPS: ReadonlySet<Category> = new Set([
  'arena heaps, committed',
  'arena heaps, reserved',
  'main heap',
])

/**
 * For each piece the arena that it belongs to, and the row of the heap (all heaps, arena by arena) that lies in it whole;
 * null where there is none. Pieces are sorted by address.
 */
export function heapOfPieces(
  arenas: readonly ReportArena[],
  pieces: readonly Piece[],
): { readonly arenas: readonly (number | null)[]; readonly heaps: readonly (number | null)[] } {
  const heaps = arenas
    .flatMap(({ index, heaps }) =>
      heaps.map((heap) => ({ index, start: BigInt(heap.address), bytes: heap.sizeBytes })),
    )
    .map((heap, row) => ({ ...heap, row }))
    .sort((a, b) => (a.start < b.start ? -1 : 1))
  const arenaOf: (number | null)[] = []
  const heapOf: (number | null)[] = []
  let next = 0
  let last: { readonly end: bigint; readonly index: number } | null = null
  for (const piece of pieces) {
    while (next < heaps.length && heaps[next]!.start < piece.start) next++
    const heap = heaps[next]
    const isOfHeap = OF_HEAPS.has(piece.category)
    if (isOfHeap && heap && heap.start < piece.end) {
      arenaOf.push(heap.index)
      // One heap, wholly inside: what it holds can be drawn in place of the piece.
      const isAlone = (heaps[next + 1]?.start ?? piece.end) >= piece.end
      heapOf.push(isAlone && heap.bytes <= sizeOf(piece) ? heap.row : null)
      last = { end: piece.end, index: heap.index }
    } else if (isOfHeap && last?.end === piece.start) {
      // What follows a heap without a gap, and is a heap's: the space that is kept for it.
      arenaOf.push(last.index)
      heapOf.push(null)
      last = { end: piece.end, index: last.index }
    } else {
      arenaOf.push(null)
      heapOf.push(null)
      last = null
    }
  }
  return { arenas: arenaOf, heaps: heapOf }
}
