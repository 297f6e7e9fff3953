// Where in a core's file malloc's structures are, so that damage can be aimed at them.
import { listChunks } from '../../src/malloc/chunks/list-chunks.js'
import type { MallocState } from '../../src/malloc/read-heap-model.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import type { Aim } from './mutations.js'

interface Load {
  readonly address: bigint
  readonly at: number
  readonly bytes: number
}

// Chunks enough to hit each kind.
const MOST_CHUNKS = 50_000

// Offsets in the ELF header, in a program header and in a section header, by word size.
const ELF = {
  8: {
    table: 32,
    sections: 40,
    count: 56,
    entry: 56,
    header: 64,
    offset: 8,
    address: 16,
    bytes: 32,
    info: 44,
  },
  4: {
    table: 28,
    sections: 32,
    count: 44,
    entry: 32,
    header: 52,
    offset: 4,
    address: 8,
    bytes: 16,
    info: 28,
  },
} as const

/** Aims at `bytes`, a core; `malloc` as read from it, or null. */
export function aimAt(bytes: Uint8Array, memory: MemorySource, malloc: MallocState | null): Aim {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  // EI_CLASS
  const wordBytes = bytes[4] === 1 ? 4 : 8
  const elf = ELF[wordBytes]
  const word = (at: number) =>
    wordBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
  const table = Number(word(elf.table))
  const listed = view.getUint16(elf.count, true)
  // PN_XNUM: the count is in sh_info of section 0.
  const count = listed < 0xffff ? listed : view.getUint32(Number(word(elf.sections)) + elf.info, true)
  const loads: Load[] = []
  const notes: { at: number; bytes: number }[] = []
  for (let k = 0; k < count; k++) {
    const entry = table + elf.entry * k
    const at = Number(word(entry + elf.offset))
    const length = Math.min(Number(word(entry + elf.bytes)), bytes.length - at)
    if (length <= 0) continue
    const type = view.getUint32(entry, true)
    if (type === 4) notes.push({ at, bytes: length })
    if (type === 1) loads.push({ address: word(entry + elf.address), at, bytes: length })
  }
  const place = (address: bigint): number[] => {
    const load = loads.find(
      (one) => address >= one.address && address + 32n <= one.address + BigInt(one.bytes),
    )
    return load ? [load.at + Number(address - load.address)] : []
  }
  const aims = malloc ? placesOf(malloc, memory, place) : { structures: [], chunks: [], links: [] }
  const anything = loads.map((load) => load.at)
  const orAnything = (list: readonly number[]) => (list.length > 0 ? list : anything)
  return {
    bytes,
    wordBytes,
    headerBytes: elf.header,
    tableBytes: table + elf.entry * count,
    notes,
    structures: orAnything(aims.structures),
    chunks: orAnything(aims.chunks),
    links: orAnything(aims.links),
  }
}

function placesOf(
  { model, layout }: MallocState,
  memory: MemorySource,
  place: (address: bigint) => number[],
): Pick<Aim, 'structures' | 'chunks' | 'links'> {
  const structures: number[] = []
  const links: number[] = []
  const { wordBytes } = layout
  const words = (start: bigint, length: number) => {
    for (let at = 0; at < length; at += wordBytes) structures.push(...place(start + BigInt(at)))
  }
  for (const arena of model.arenas) {
    const { next, top, bins, systemMem } = layout.arena
    // The members between and behind the bins as often as all bins together.
    for (let k = 0; k < 40; k++) {
      for (const member of [next, top, systemMem, layout.arena.flags])
        structures.push(...place(arena.address + BigInt(member)))
    }
    words(arena.address, layout.arena.sizeBytes)
    links.push(...place(arena.address + BigInt(next)))
    for (let k = 0; k < 254; k++) links.push(...place(arena.address + BigInt(bins + wordBytes * k)))
    if (arena.isMain) continue
    for (const heap of arena.heaps) {
      for (let k = 0; k < 20; k++) words(heap.address, layout.heapInfo.sizeBytes)
      links.push(...place(heap.address + BigInt(layout.heapInfo.prev)))
    }
  }
  for (const cache of model.caches) words(cache.address, 80 * wordBytes)
  if (model.glibc.mallocPar !== null) words(model.glibc.mallocPar, layout.par.sizeBytes)
  const chunks: number[] = []
  for (const batch of listChunks(memory, layout, model)) {
    for (let row = 0; row < batch.count && chunks.length < MOST_CHUNKS; row++) {
      const at = place(batch.addresses[row]!)
      chunks.push(...at)
      const isLinked = batch.states[row]! > 0 && batch.states[row]! < 5
      if (isLinked) links.push(...at.flatMap((header) => [header + 2 * wordBytes, header + 3 * wordBytes]))
    }
  }
  return { structures, chunks, links }
}
