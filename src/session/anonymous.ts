// Anonymous memory that findings look at: malloc's own that may be executed, and what is nobody's.
import type { AnonymousMapping, ExecutableHeap } from '../findings/facts.js'
import type { Piece } from '../maps/categorize.js'
import { hex } from '../memory/address.js'
import { sizeOf } from '../memory/region.js'

const MOST_ANONYMOUS = 16

/** Committed heaps of arenas, and the main heap, in mappings with execute permission. */
export function executableHeaps(pieces: readonly Piece[]): readonly ExecutableHeap[] {
  return pieces
    .filter(
      ({ category, region }) =>
        (category === 'main heap' || category === 'arena heaps, committed') && region.permissions.execute,
    )
    .map((piece) => ({ start: hex(piece.start), bytes: sizeOf(piece) }))
}

/** The largest mappings that are nobody's. */
export function largestAnonymous(pieces: readonly Piece[]): readonly AnonymousMapping[] {
  return pieces
    .filter(({ category }) => category === 'other anonymous')
    .sort((a, b) => sizeOf(b) - sizeOf(a))
    .slice(0, MOST_ANONYMOUS)
    .map((piece) => ({
      start: hex(piece.start),
      bytes: sizeOf(piece),
      residentBytes: piece.residentBytes,
      executable: piece.region.permissions.execute,
    }))
}
