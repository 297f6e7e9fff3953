// What identifies an executable or a library, from its file or from its image in a target's memory.
import type { ByteSource } from './byte-source.js'
import { ELF, ELF_HEADER_BYTES, type ElfHeader, parseElfHeader } from './elf-header.js'
import { noteBytes, notes } from './notes.js'
import { type ProgramHeader, programHeaders } from './program-headers.js'

/** An ELF executable or library as far as its headers tell. */
export interface ElfImage {
  readonly header: ElfHeader
  /** PT_LOADs in file order. */
  readonly loads: readonly ProgramHeader[]
  /** GNU build-id, lower-case hex. */
  readonly buildId: string | null
  /** True when `buildId` is null only because the notes that may hold it could not be read. */
  readonly buildIdUnread: boolean
  /** The lowest PT_LOAD address, rounded down to `pageBytes`: what the image's first mapped byte had in the file. */
  readonly lowest: number
  /** One past the highest PT_LOAD byte. */
  readonly highest: number
}

const NT_GNU_BUILD_ID = 3
const MAX_BUILD_ID = 64
const MAX_PROGRAM_HEADERS = 4096
const MAX_NOTE_SPACE = 1 << 16

/**
 * The image whose ELF header is at position 0. In a file notes are read at their file offset, in memory where they
 * are mapped. Null when it is not a little-endian ELF or its program headers are cut or absurdly many.
 */
export function readElfImage(
  source: ByteSource,
  where: 'file' | 'memory',
  pageBytes = 4096,
): ElfImage | null {
  const head = new Uint8Array(ELF_HEADER_BYTES)
  const header = parseElfHeader(head.subarray(0, source.read(0, head)))
  if (!header?.littleEndian || header.programHeaderCount > MAX_PROGRAM_HEADERS) return null
  const all = [...programHeaders(source, header)]
  if (all.length < header.programHeaderCount) return null
  const loads = all.filter((p) => p.type === ELF.PT_LOAD)
  const lowest = Math.floor(Math.min(...loads.map((p) => p.virtualAddress)) / pageBytes) * pageBytes
  const highest = Math.max(...loads.map((p) => p.virtualAddress + p.memoryBytes))
  const found = findBuildId(source, all, where === 'file' ? null : lowest)
  return { header, loads, lowest, highest, buildId: found ?? null, buildIdUnread: found === undefined }
}

/** The build-id; null when the image has none, undefined when that could not be read. */
function findBuildId(
  source: ByteSource,
  headers: readonly ProgramHeader[],
  lowest: number | null,
): string | null | undefined {
  let unread = false
  for (const p of headers) {
    if (p.type !== ELF.PT_NOTE) continue
    const position = lowest === null ? p.fileOffset : p.virtualAddress - lowest
    if (!Number.isSafeInteger(position) || !Number.isSafeInteger(position + p.fileBytes) || position < 0)
      continue
    const walk = notes(source, position, Math.min(p.fileBytes, MAX_NOTE_SPACE), p.alignBytes)
    for (let step = walk.next(); ; step = walk.next()) {
      if (step.done) {
        unread ||= step.value !== null
        break
      }
      const note = step.value
      if (note.type !== NT_GNU_BUILD_ID || note.name !== 'GNU' || note.bytes === 0) continue
      const bytes = noteBytes(source, note, MAX_BUILD_ID)
      if (bytes) return Buffer.from(bytes).toString('hex')
      unread = true
    }
  }
  return unread ? undefined : null
}
