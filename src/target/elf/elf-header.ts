// The ELF file header, 32 and 64 bits.

/** e_type, e_machine, p_type, p_flags and sh_type values of elf.h that matter here. */
export const ELF = {
  ET_EXEC: 2,
  ET_DYN: 3,
  ET_CORE: 4,
  EM_386: 3,
  EM_X86_64: 62,
  EM_AARCH64: 183,
  PT_LOAD: 1,
  PT_NOTE: 4,
  PF_X: 1,
  PF_W: 2,
  PF_R: 4,
  PN_XNUM: 0xffff,
  SHT_NOBITS: 8,
  SHF_EXECINSTR: 4,
} as const

/** Where an ELF file keeps its tables. Positions and sizes in bytes. */
export interface ElfHeader {
  readonly wordBytes: 8 | 4
  readonly littleEndian: boolean
  readonly type: number
  readonly machine: number
  readonly programHeadersAt: number
  readonly programHeaderBytes: number
  /** As in the header: ELF.PN_XNUM where section 0 has the true count. */
  readonly programHeaderCount: number
  readonly sectionHeadersAt: number
  readonly sectionHeaderBytes: number
  readonly sectionHeaderCount: number
}

/** Bytes to read for parseElfHeader; a 32-bit header is 52. */
export const ELF_HEADER_BYTES = 64

/** True when `bytes` begin with the ELF magic. */
export function hasElfMagic(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
}

/** The unsigned 64-bit value at `at`; beyond 2^53 it is rounded, which Number.isSafeInteger tells. */
export function unsigned64(view: DataView, at: number, littleEndian = true): number {
  const first = view.getUint32(at, littleEndian)
  const second = view.getUint32(at + 4, littleEndian)
  return littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second
}

/** The header at the start of `bytes`; null when they are not ELF, of an unknown class, or cut. */
export function parseElfHeader(bytes: Uint8Array): ElfHeader | null {
  if (!hasElfMagic(bytes)) return null
  const wordBytes = bytes[4] === 2 ? 8 : bytes[4] === 1 ? 4 : null
  if (wordBytes === null || bytes.length < (wordBytes === 8 ? 64 : 52)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = bytes[5] === 1
  const half = (at: number) => view.getUint16(at, little)
  const word = (at: number) => (wordBytes === 8 ? unsigned64(view, at, little) : view.getUint32(at, little))
  const sizes = 24 + 3 * wordBytes + 6
  return {
    wordBytes,
    littleEndian: little,
    type: half(16),
    machine: half(18),
    programHeadersAt: word(24 + wordBytes),
    sectionHeadersAt: word(24 + 2 * wordBytes),
    programHeaderBytes: half(sizes),
    programHeaderCount: half(sizes + 2),
    sectionHeaderBytes: half(sizes + 4),
    sectionHeaderCount: half(sizes + 6),
  }
}
