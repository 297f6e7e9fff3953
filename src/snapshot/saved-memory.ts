// The memory of a target that a snapshot keeps: what is in RAM, or in the core file; nothing is brought back from disk.
import type { Piece } from '../maps/categorize.js'
import { type Address, offset } from '../memory/address.js'
import type { Region } from '../memory/region.js'
import type { Target } from '../target/target.js'

/** Bytes of one block at most. */
export const MEMORY_BLOCK_BYTES = 1 << 20

/** Blocks with their bytes, in the order of addresses; each is valid until the next one is asked for. */
export function* savedMemory(
  target: Target,
  pieces: readonly Piece[],
): Generator<{ readonly start: Address; readonly bytes: Uint8Array }> {
  const buffer = new Uint8Array(MEMORY_BLOCK_BYTES)
  for (const region of new Set(pieces.map((piece) => piece.region))) {
    for (const [from, to] of stretchesOf(target, region)) {
      for (let at = from; at < to; ) {
        const start = offset(region.start, at)
        const got = target.memory.read(start, buffer.subarray(0, Math.min(buffer.length, to - at)))
        if (got > 0) yield { start, bytes: buffer.subarray(0, got) }
        // What can be read again begins at a page boundary at the earliest.
        at += got > 0 ? got : target.pageBytes - (at % target.pageBytes)
      }
    }
  }
}

// As offsets from the region's start. Where nothing is told of pages, all that may be read.
function stretchesOf(target: Target, region: Region): readonly (readonly [number, number])[] {
  const pages = target.residentPages(region.start, region.end)
  const length = Number(region.end - region.start)
  if (!pages) return region.permissions.read || region.permissions.write ? [[0, length]] : []
  const stretches: [number, number][] = []
  let at = pages.start
  pages.gapStarts.forEach((gap, index) => {
    if (gap > at) stretches.push([at - pages.start, gap - pages.start])
    at = pages.gapEnds[index]!
  })
  if (pages.end > at) stretches.push([at - pages.start, pages.end - pages.start])
  return stretches
}
