// Section headers, as far as they are needed: the count of program headers beyond 65,534, and debug-only files.
import { type ByteSource, buffered } from './byte-source.js'
import { type ElfHeader, unsigned64 } from './elf-header.js'

/** What is used of a section header. */
export interface SectionHeader {
  readonly type: number
  readonly flags: number
  /** sh_info; in section 0 the count of program headers when the ELF header says ELF.PN_XNUM. */
  readonly info: number
}

/** The section headers of a little-endian ELF, at most `count`; ends early where bytes are missing. */
export function* sectionHeaders(
  source: ByteSource,
  header: ElfHeader,
  count = header.sectionHeaderCount,
): Generator<SectionHeader> {
  const wide = header.wordBytes === 8
  const stride = header.sectionHeaderBytes
  if (header.sectionHeadersAt === 0 || !Number.isSafeInteger(header.sectionHeadersAt)) return
  if (stride < (wide ? 64 : 40)) return
  const table = buffered(source)
  const bytes = new Uint8Array(stride)
  const view = new DataView(bytes.buffer)
  for (let index = 0; index < count; index++) {
    if (table.read(header.sectionHeadersAt + index * stride, bytes) < stride) return
    yield {
      type: view.getUint32(4, true),
      flags: wide ? unsigned64(view, 8) : view.getUint32(8, true),
      info: view.getUint32(wide ? 44 : 28, true),
    }
  }
}
