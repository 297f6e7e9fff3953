// Pieces of a non-contiguous main heap that hold damage, so that no walk crosses them from end to end.
import { type Address, address } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { AnonymousStretch } from '../arenas/anonymous-memory.js'
import { firstChunk } from '../arenas/segments.js'
import type { Segment } from '../chunks/segment.js'
import type { Heap } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { lowerBound } from '../lower-bound.js'
import { walkDamaged } from './walk-damaged.js'

/** What is known of a main heap of which pieces are missing. */
export interface MainHeapParts {
  readonly top: Address
  readonly topBytes: number
  readonly systemBytes: number
  /** Whole pieces. */
  readonly found: readonly Heap[]
  /** Where others can be. */
  readonly stretches: readonly AnonymousStretch[]
}

interface Hole {
  readonly start: bigint
  readonly end: bigint
}

const PAGE = 4096
const MOST_HOLES = 100_000

/**
 * All pieces of the main heap that can be told, by address: those that were found whole, and around damage those that
 * hold top or a chunk of a bin (`nodes`, rising). A piece ends behind its two fenceposts, with top, or, where these are
 * damaged too, where system_mem or its mapping ends. Together never more than system_mem.
 */
export function withDamagedPieces(
  memory: PageCache,
  layout: GlibcLayout,
  nodes: BigUint64Array,
  parts: MainHeapParts,
): readonly Heap[] {
  const heaps = [...parts.found]
  let missing = parts.systemBytes - heaps.reduce((sum, heap) => sum + heap.sizeBytes, 0)
  const holdsTop = ({ start, end }: Hole) => parts.top >= start && parts.top < end
  const holdsNode = ({ start, end }: Hole) => {
    const node = nodes[lowerBound(nodes, start)]
    return node !== undefined && node < end
  }
  const topEnd = parts.top + BigInt(parts.topBytes)
  const holes = parts.stretches
    .flatMap((stretch) => holesOf(stretch, parts.found))
    .flatMap((hole) => splitAt(hole, topEnd))
    .slice(0, MOST_HOLES)
  for (const hole of holes) {
    if (!holdsTop(hole) && !holdsNode(hole)) continue
    for (const piece of piecesIn(hole, memory, layout, nodes, parts, missing)) {
      if (piece.sizeBytes > missing || (!holdsTop(rangeOf(piece)) && !holdsNode(rangeOf(piece)))) continue
      heaps.push(piece)
      missing -= piece.sizeBytes
    }
  }
  return heaps.sort((a, b) => (a.address < b.address ? -1 : 1))
}

function rangeOf(heap: Heap): Hole {
  return { start: heap.address, end: heap.address + BigInt(heap.sizeBytes) }
}

// What of a stretch no piece that was found holds.
function holesOf(stretch: AnonymousStretch, found: readonly Heap[]): readonly Hole[] {
  const end = stretch.start + BigInt(stretch.sizeBytes)
  const holes: Hole[] = []
  let start: bigint = stretch.start
  for (const piece of [...found].sort((a, b) => (a.address < b.address ? -1 : 1))) {
    const range = rangeOf(piece)
    if (range.end <= start || range.start >= end) continue
    if (range.start > start) holes.push({ start, end: range.start })
    start = range.end
  }
  if (start < end) holes.push({ start, end })
  return holes
}

// The newest piece, which ends with top, often lies right below the one before it.
function splitAt({ start, end }: Hole, at: bigint): readonly Hole[] {
  if (at <= start || at >= end) return [{ start, end }]
  return [
    { start, end: at },
    { start: at, end },
  ]
}

function piecesIn(
  hole: Hole,
  memory: PageCache,
  layout: GlibcLayout,
  nodes: BigUint64Array,
  { top }: MainHeapParts,
  missing: number,
): readonly Heap[] {
  const holdsTop = top >= hole.start && top < hole.end
  const segment: Segment = {
    origin: address(hole.start),
    first: Number(firstChunk(hole.start, layout) - hole.start),
    end: Number(hole.end - hole.start),
    top: holdsTop ? Number(top - hole.start) : -1,
    isMain: true,
  }
  const pieces: Heap[] = []
  let start = -1
  let last = 0
  let posts = 0
  const close = (end: number): void => {
    pieces.push(pieceOf(hole.start, start, end))
    start = -1
    posts = 0
  }
  walkDamaged(memory, segment, layout, nodes, {
    visit: (at, size, kind) => {
      if (start < 0) start = at - Number((hole.start + BigInt(at)) & BigInt(PAGE - 1))
      last = at + size
      posts = kind === 'fencepost' ? posts + 1 : 0
      if (kind === 'top') close(last)
      else if (posts === 2) close(pageEnd(hole.start, last))
      return false
    },
  })
  if (start >= 0) {
    const left = missing - pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0)
    close(Math.max(pageEnd(hole.start, last), Math.min(segment.end, start + left)))
  }
  return pieces
}

function pieceOf(origin: bigint, start: number, end: number): Heap {
  const sizeBytes = end - start
  const at = address(origin + BigInt(start))
  return { address: at, sizeBytes, committedBytes: sizeBytes, reservedBytes: sizeBytes }
}

function pageEnd(origin: bigint, at: number): number {
  const into = Number(origin & BigInt(PAGE - 1))
  return Math.ceil((into + at) / PAGE) * PAGE - into
}
