// What a loaded library exports, read from the process's own memory: right also when its file was replaced.
import { type Address, address, offset } from '../../memory/address.js'
import { MemoryFault } from '../../memory/memory-fault.js'
import { type MemorySource, readExactly, readWord } from '../../memory/memory-source.js'
import { memoryBytes } from './byte-source.js'
import { ELF_HEADER_BYTES, parseElfHeader } from './elf-header.js'
import { type ElfSymbol, namesIn, parseSymbol, symbolEntryBytes } from './elf-symbol.js'
import { programHeaders } from './program-headers.js'

// elf.h
const PT_DYNAMIC = 2
const DT = {
  hash: 4n,
  strings: 5n,
  symbols: 6n,
  stringBytes: 10n,
  gnuHash: 0x6ffffef5n,
  versions: 0x6ffffff0n,
}
/** A version that is there for old programs only; the default one of the name has this bit clear. */
const VERSYM_HIDDEN = 0x8000
const MAX_SYMBOLS = 1 << 20
const MAX_STRINGS = 1 << 26

/** A mapped image: `base` is where its ELF header is, `bias` what is added to the addresses in it. */
export interface MappedImage {
  readonly base: Address
  readonly bias: bigint
  readonly wordBytes: 8 | 4
}

/**
 * Symbols that the image defines for others, by name; of several versions of a name the default one. Null when its
 * dynamic section cannot be read or it has none (a static program).
 */
export function dynamicSymbols(
  memory: MemorySource,
  image: MappedImage,
): ReadonlyMap<string, ElfSymbol> | null {
  try {
    return read(memory, image)
  } catch (error) {
    if (error instanceof MemoryFault) return null
    throw error
  }
}

function read(memory: MemorySource, image: MappedImage): ReadonlyMap<string, ElfSymbol> | null {
  const { bias, wordBytes: word } = image
  const tags = dynamicSection(memory, image)
  // ld.so adds the bias to these in memory on most machines, and leaves them on some.
  const pointer = (tag: bigint): Address | null => {
    const value = tags?.get(tag)
    return value === undefined ? null : address(value >= image.base ? value : value + bias)
  }
  const [table, strings, versions] = [pointer(DT.symbols), pointer(DT.strings), pointer(DT.versions)]
  const stringBytes = Number(tags?.get(DT.stringBytes) ?? 0n)
  const count = symbolCount(memory, pointer(DT.gnuHash), pointer(DT.hash), word)
  if (!table || !strings || count === null || count > MAX_SYMBOLS || stringBytes > MAX_STRINGS) return null
  const nameOf = namesIn(readExactly(memory, strings, stringBytes))
  const entry = symbolEntryBytes(word)
  const symbols = new DataView(readExactly(memory, table, count * entry).buffer)
  const hidden = versions && new DataView(readExactly(memory, versions, count * 2).buffer)
  const found = new Map<string, ElfSymbol>()
  for (let index = 1; index < count; index++) {
    const symbol = parseSymbol(symbols, index * entry, word, nameOf)
    if (!symbol) continue
    const isDefault = !hidden || (hidden.getUint16(index * 2, true) & VERSYM_HIDDEN) === 0
    if (isDefault || !found.has(symbol.name)) found.set(symbol.name, symbol)
  }
  return found
}

function dynamicSection(memory: MemorySource, image: MappedImage): Map<bigint, bigint> | null {
  const { base, bias, wordBytes: word } = image
  const header = parseElfHeader(readExactly(memory, base, ELF_HEADER_BYTES))
  if (!header) return null
  const dynamic = [...programHeaders(memoryBytes(memory, base), header)].find(
    ({ type }) => type === PT_DYNAMIC,
  )
  if (!dynamic) return null
  const tags = new Map<bigint, bigint>()
  const start = address(BigInt(dynamic.virtualAddress) + bias)
  for (let at = 0; at + 2 * word <= dynamic.memoryBytes; at += 2 * word) {
    const tag = readWord(memory, offset(start, at), word)
    if (tag === 0n) break
    tags.set(tag, readWord(memory, offset(start, at + word), word))
  }
  return tags
}

// Neither table says how many symbols there are: DT_HASH has a chain link for each, DT_GNU_HASH ends its last chain.
function symbolCount(
  memory: MemorySource,
  gnuHash: Address | null,
  hash: Address | null,
  word: 8 | 4,
): number | null {
  const int = (at: Address) => Number(readWord(memory, at, 4))
  if (hash) return int(offset(hash, 4))
  if (!gnuHash) return null
  const [buckets, first, bloom] = [0, 4, 8].map((at) => int(offset(gnuHash, at))) as [number, number, number]
  const bucketsAt = offset(gnuHash, 16 + bloom * word)
  if (buckets > MAX_SYMBOLS) return null
  const heads = new DataView(readExactly(memory, bucketsAt, 4 * buckets).buffer)
  let last = 0
  for (let index = 0; index < buckets; index++) last = Math.max(last, heads.getUint32(4 * index, true))
  if (last < first) return first
  const chains = offset(bucketsAt, 4 * buckets)
  for (; last < MAX_SYMBOLS; last++) if ((int(offset(chains, 4 * (last - first))) & 1) === 1) return last + 1
  return null
}
