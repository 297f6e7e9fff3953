// One chunk in a sentence: where it is, how large, what state, and where its links lead.
import { countText } from '../format/sizes.js'
import type { ChunkFacts, ChunkLink } from '../malloc/chunks/chunk-facts.js'
import type { MallocState } from '../malloc/read-heap-model.js'
import { type Address, hex } from '../memory/address.js'

/** `chunk 0x… + 0x10 of arena 3, 4,112 bytes, binned (large 71), fd → 0x…, bk → bins of arena 3`. */
export function chunkText(facts: ChunkFacts, at: Address, malloc: MallocState): string {
  const { chunk, state, bin, tid, links } = facts
  const where = `arena ${chunk.arenaIndex}`
  const inside = at === chunk.address ? '' : ` + ${hex(at - chunk.address)}`
  if (state === 'arena') return `heap header of ${where}, ${hex(chunk.address)}${inside}`
  const list = bin ? ` (${bin.kind} ${bin.index})` : tid === null ? '' : ` of thread ${tid}`
  return [
    `chunk ${hex(chunk.address)}${inside} of ${where}`,
    `${countText(chunk.sizeBytes)} bytes`,
    `${state}${list}`,
    ...links.map((link) => `${link.name} → ${targetText(link, malloc)}`),
  ].join(', ')
}

function targetText({ target }: ChunkLink, { model, layout }: MallocState): string {
  if (target === 0n) return 'end of the list'
  const arena = model.arenas.find(
    ({ address }) => target >= address && target < address + BigInt(layout.arena.sizeBytes),
  )
  return arena ? `bins of arena ${arena.index}` : hex(target)
}
