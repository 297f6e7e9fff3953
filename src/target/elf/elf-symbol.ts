// One entry of an ELF symbol table, dynamic or not.
import { unsigned64 } from './elf-header.js'

export interface ElfSymbol {
  readonly name: string
  /** As in the file: the load bias is not added. */
  readonly value: bigint
  readonly sizeBytes: number
  readonly kind: 'function' | 'object' | 'other'
}

const STT_OBJECT = 1
const STT_FUNC = 2

/** Bytes of one entry. */
export function symbolEntryBytes(word: 8 | 4): number {
  return word === 8 ? 24 : 16
}

/** The symbol at `at` of a little-endian table; null where it is undefined (imported) or has no name. */
export function parseSymbol(
  table: DataView,
  at: number,
  word: 8 | 4,
  nameOf: (offset: number) => string,
): ElfSymbol | null {
  const wide = word === 8
  const section = table.getUint16(at + (wide ? 6 : 14), true)
  const name = nameOf(table.getUint32(at, true))
  if (section === 0 || name === '') return null
  const type = table.getUint8(at + (wide ? 4 : 12)) & 0xf
  return {
    name,
    value: wide ? table.getBigUint64(at + 8, true) : BigInt(table.getUint32(at + 4, true)),
    sizeBytes: wide ? unsigned64(table, at + 16) : table.getUint32(at + 8, true),
    kind: type === STT_FUNC ? 'function' : type === STT_OBJECT ? 'object' : 'other',
  }
}

/** Names by their offset in a string table. */
export function namesIn(strings: Uint8Array): (offset: number) => string {
  const decoder = new TextDecoder('latin1')
  return (offset) => {
    const end = strings.indexOf(0, offset)
    return offset >= strings.length || end < 0 ? '' : decoder.decode(strings.subarray(offset, end))
  }
}
