// Program headers, streamed: a core can have hundreds of thousands.
import type { ByteSource } from './byte-source.js'
import { type ElfHeader, unsigned64 } from './elf-header.js'

/**
 * One program header. Numbers beyond ±2^53 are rounded, which Number.isSafeInteger tells. Addresses in the upper
 * half of a 64-bit space are negative: address − 2^64.
 */
export interface ProgramHeader {
  readonly type: number
  readonly flags: number
  readonly fileOffset: number
  readonly virtualAddress: number
  readonly fileBytes: number
  readonly memoryBytes: number
  readonly alignBytes: number
}

const BATCH = 1024

/** The bytes that one program header has at least: 56, or 32 in a 32-bit file. */
export function programHeaderMinimum(header: ElfHeader): number {
  return header.wordBytes === 8 ? 56 : 32
}

/** The first `count` program headers of a little-endian ELF; ends early where bytes are missing. */
export function* programHeaders(
  source: ByteSource,
  header: ElfHeader,
  count = header.programHeaderCount,
): Generator<ProgramHeader> {
  const stride = header.programHeaderBytes
  if (stride < programHeaderMinimum(header) || !Number.isSafeInteger(header.programHeadersAt)) return
  const block = new Uint8Array(stride * Math.min(BATCH, count))
  const view = new DataView(block.buffer)
  const parse = header.wordBytes === 8 ? parse64 : parse32
  for (let first = 0; first < count; first += BATCH) {
    const wanted = Math.min(BATCH, count - first) * stride
    const got = source.read(header.programHeadersAt + first * stride, block.subarray(0, wanted))
    for (let at = 0; at + stride <= got; at += stride) yield parse(view, at)
    if (got < wanted) return
  }
}

function parse64(view: DataView, at: number): ProgramHeader {
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 4, true),
    fileOffset: unsigned64(view, at + 8),
    virtualAddress: view.getInt32(at + 20, true) * 0x1_0000_0000 + view.getUint32(at + 16, true),
    fileBytes: unsigned64(view, at + 32),
    memoryBytes: unsigned64(view, at + 40),
    alignBytes: unsigned64(view, at + 48),
  }
}

function parse32(view: DataView, at: number): ProgramHeader {
  const word = (index: number) => view.getUint32(at + 4 * index, true)
  return {
    type: word(0),
    fileOffset: word(1),
    virtualAddress: word(2),
    fileBytes: word(4),
    memoryBytes: word(5),
    flags: word(6),
    alignBytes: word(7),
  }
}
