// Batches of chunks cut into blocks as a snapshot keeps them: of one arena, in rising order, without wide holes.
import type { ChunkBatch } from '../malloc/chunks/list-chunks.js'
import { HIGH_HALF, halvesOf, LOW_HALF } from '../memory/word-halves.js'
import { BLOCK_ROWS, type ChunkColumns } from './chunk-block.js'

/** A wider hole begins a new block, so that what lies between is not looked for in it. */
const WIDEST_HOLE = 32 << 20

/** Blocks in the order of the batches; each is valid until the next one is asked for. */
export function* chunkBlocks(batches: Iterable<ChunkBatch>): Generator<ChunkColumns> {
  const starts = new Float64Array(BLOCK_ROWS)
  const sizes = new Float64Array(BLOCK_ROWS)
  const states = new Uint8Array(BLOCK_ROWS)
  let arena = -1
  let count = 0
  let end = 0
  for (const batch of batches) {
    const halves = halvesOf(batch.addresses)
    for (let row = 0; row < batch.count; row++) {
      const at = halves[2 * row + HIGH_HALF]! * 0x1_0000_0000 + halves[2 * row + LOW_HALF]!
      const isNext = batch.arenas[row] === arena && at >= end && at - end <= WIDEST_HOLE && count < BLOCK_ROWS
      if (!isNext && count > 0) {
        yield { arena, count, starts, sizes, states }
        count = 0
      }
      arena = batch.arenas[row]!
      starts[count] = at
      sizes[count] = batch.sizes[row]!
      states[count] = batch.states[row]!
      end = at + batch.sizes[row]!
      count++
    }
  }
  if (count > 0) yield { arena, count, starts, sizes, states }
}
