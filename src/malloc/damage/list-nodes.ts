// Free chunks that an arena's bins name from both sides: known places among its chunks, whatever lies between them.
import type { Address } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import { walkBins } from '../chunks/bins.js'
import { BIN_COUNT, type GlibcLayout } from '../layout.js'

// More would take more memory than they help: the scan for headers finds what lies between.
const MOST_NODES = 1 << 20

/**
 * Addresses of the chunks in the bins of the arena at `arena`, rising. Each is linked consistently (bk of the chunk
 * that fd names leads back); of a broken bin, those before the break are followed from both ends.
 */
export function listNodes(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  systemBytes: number,
): BigUint64Array {
  const nodes = new Set<bigint>()
  const add = (chunk: bigint): void => {
    if (nodes.size < MOST_NODES) nodes.add(chunk)
  }
  for (let bin = 1; bin <= BIN_COUNT && nodes.size < MOST_NODES; bin++) {
    const { damage } = walkBins(memory, arena, layout, systemBytes, add, [bin])
    if (damage) followBack(memory, arena, layout, bin, nodes)
  }
  return BigUint64Array.from(nodes).sort()
}

// From the bin's bk on, as long as fd of each chunk leads back.
function followBack(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  bin: number,
  nodes: Set<bigint>,
): void {
  const word = layout.wordBytes
  const wide = BigInt(word)
  const header = arena + BigInt(layout.arena.bins + 2 * (bin - 1) * word - 2 * word)
  const seen = new Set<bigint>()
  let behind = header
  let chunk = memory.word(header + 3n * wide, word)
  while (chunk !== null && chunk !== header && !seen.has(chunk) && seen.size < MOST_NODES) {
    if (memory.word(chunk + 2n * wide, word) !== behind) return
    seen.add(chunk)
    nodes.add(chunk)
    behind = chunk
    chunk = memory.word(chunk + 3n * wide, word)
  }
}
