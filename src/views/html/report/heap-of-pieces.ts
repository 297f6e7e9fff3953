// Which of malloc's heaps lie in a piece of the address space, and what they hold together.
import type { Category } from '../../../maps/categories.js'
import type { Piece } from '../../../maps/categorize.js'
import { sizeOf } from '../../../memory/region.js'
import type { HeapMap } from '../../../report/heap-maps.js'
import type { UseBytes } from '../../../report/heap-pages.js'
import type { ReportArena } from '../../../report/report.js'

const OF_HEAPS: ReadonlySet<Category> = new Set([
  'arena heaps, committed',
  'arena heaps, reserved',
  'main heap',
])

export interface HeapPiece {
  /** Ring positions, in the order of addresses. Neighbouring heaps can be one mapping. */
  readonly arenas: readonly number[]
  /** Of the heaps that lie in the piece, all of them whole; null where that is not known. */
  readonly uses: UseBytes | null
}

/** By index in `pieces`, which are sorted by address; those of heaps only. */
export function heapsInPieces(
  arenas: readonly ReportArena[],
  pieces: readonly Piece[],
  maps: readonly HeapMap[],
): ReadonlyMap<number, HeapPiece> {
  const uses = new Map(maps.map((map) => [map.address, map.uses]))
  const heaps = arenas
    .flatMap(({ index, heaps }) =>
      heaps.map(({ address, sizeBytes }) => ({
        index,
        start: BigInt(address),
        end: BigInt(address) + BigInt(sizeBytes),
        uses: uses.get(address) ?? null,
      })),
    )
    .sort((a, b) => (a.start < b.start ? -1 : 1))
  const found = new Map<number, HeapPiece>()
  let next = 0
  let before: (typeof heaps)[number] | null = null
  pieces.forEach((piece, row) => {
    const inside: typeof heaps = []
    for (; next < heaps.length && heaps[next]!.start < piece.end; next++) inside.push(heaps[next]!)
    if (OF_HEAPS.has(piece.category)) {
      const owners = inside.length > 0 ? inside : ownerBehind(found, pieces, row, before?.index)
      const isWhole =
        inside.length > 0 && inside.every(({ start, end }) => start >= piece.start && end <= piece.end)
      const isAlone = before === null || before.end <= piece.start
      found.set(row, {
        arenas: [...new Set(owners.map(({ index }) => index))],
        uses:
          isWhole && isAlone
            ? sumOf(
                inside.map((heap) => heap.uses),
                sizeOf(piece),
              )
            : null,
      })
    }
    before = inside.at(-1) ?? before
  })
  return found
}

// What follows a heap's piece without a gap, and is a heap's too: the space that is kept for it.
function ownerBehind(
  found: ReadonlyMap<number, HeapPiece>,
  pieces: readonly Piece[],
  row: number,
  index: number | undefined,
): readonly { readonly index: number }[] {
  const follows = row > 0 && found.has(row - 1) && pieces[row - 1]!.end === pieces[row]!.start
  return follows && index !== undefined ? [{ index }] : []
}

function sumOf(parts: readonly (UseBytes | null)[], most: number): UseBytes | null {
  const sum = { live: 0, cached: 0, free: 0, top: 0, other: 0 }
  for (const part of parts) {
    if (part === null) return null
    for (const use of ['live', 'cached', 'free', 'top', 'other'] as const) sum[use] += part[use]
  }
  return sum.live + sum.cached + sum.free + sum.top + sum.other <= most ? sum : null
}
