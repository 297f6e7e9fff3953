// The symbol table of an ELF file, which `strip` removes: for static programs, which export nothing.
import { closeSync, constants, openSync } from 'node:fs'
import { type ByteSource, fileBytes } from './byte-source.js'
import { ELF_HEADER_BYTES, type ElfHeader, parseElfHeader, unsigned64 } from './elf-header.js'
import { type ElfSymbol, namesIn, parseSymbol, symbolEntryBytes } from './elf-symbol.js'
import { isNodeError } from './node-error.js'

const SHT_SYMTAB = 2
const MAX_BYTES = 1 << 28

/** Symbols that the file defines, by name; the first of a name. Null when it cannot be read or has no such table. */
export function fileSymbols(path: string): ReadonlyMap<string, ElfSymbol> | null {
  let fd: number | null = null
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    return read(fileBytes(fd))
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

function read(file: ByteSource): ReadonlyMap<string, ElfSymbol> | null {
  const head = new Uint8Array(ELF_HEADER_BYTES)
  const header = parseElfHeader(head.subarray(0, file.read(0, head)))
  if (!header?.littleEndian) return null
  const sections = sectionsOf(file, header)
  const table = sections.find(({ type }) => type === SHT_SYMTAB)
  const strings = table && sections[table.link]
  if (!strings) return null
  const [entries, text] = [bytesOf(file, table), bytesOf(file, strings)]
  if (!entries || !text) return null
  const nameOf = namesIn(text)
  const view = new DataView(entries.buffer)
  const step = symbolEntryBytes(header.wordBytes)
  const found = new Map<string, ElfSymbol>()
  for (let at = step; at + step <= entries.length; at += step) {
    const symbol = parseSymbol(view, at, header.wordBytes, nameOf)
    if (symbol && !found.has(symbol.name)) found.set(symbol.name, symbol)
  }
  return found
}

interface Section {
  readonly type: number
  readonly link: number
  readonly at: number
  readonly sizeBytes: number
}

function sectionsOf(file: ByteSource, header: ElfHeader): Section[] {
  const wide = header.wordBytes === 8
  const { sectionHeaderBytes: step, sectionHeaderCount: count } = header
  if (step < (wide ? 64 : 40)) return []
  const bytes = new Uint8Array(step * count)
  const view = new DataView(bytes.buffer)
  if (file.read(header.sectionHeadersAt, bytes) < bytes.length) return []
  const word = (at: number) => (wide ? unsigned64(view, at) : view.getUint32(at, true))
  return Array.from({ length: count }, (_, index) => {
    const at = index * step
    return {
      type: view.getUint32(at + 4, true),
      at: word(at + (wide ? 24 : 16)),
      sizeBytes: word(at + (wide ? 32 : 20)),
      link: view.getUint32(at + (wide ? 40 : 24), true),
    }
  })
}

function bytesOf(file: ByteSource, section: Section): Uint8Array | null {
  if (section.sizeBytes > MAX_BYTES) return null
  const bytes = new Uint8Array(section.sizeBytes)
  return file.read(section.at, bytes) === bytes.length ? bytes : null
}
