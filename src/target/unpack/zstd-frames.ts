// Whether a zstd file ends where its last frame does: Node's decoder does not say when it is cut. Source: RFC 8878.
import { readSync } from 'node:fs'

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a5
const RUN_BLOCK = 1
const RESERVED_BLOCK = 3

/** True when the `sizeBytes` of the file behind `fd` are whole frames. Reads the headers of frames and blocks only. */
export function isWholeZstd(fd: number, sizeBytes: number): boolean {
  const bytes = new DataView(new ArrayBuffer(8))
  const read = (at: number, count: number) => (readSync(fd, bytes, 0, count, at) === count ? bytes : null)
  let at = 0
  while (at < sizeBytes) {
    const start = read(at, 8)
    if (!start) return false
    const magic = start.getUint32(0, true)
    if (magic >>> 4 === SKIPPABLE) {
      at += 8 + start.getUint32(4, true)
      continue
    }
    if (magic !== MAGIC) return false
    const descriptor = start.getUint8(4)
    const single = (descriptor >> 5) & 1
    const contentSize = [single, 2, 4, 8][descriptor >> 6]!
    at += 5 + (1 - single) + [0, 1, 2, 4][descriptor & 3]! + contentSize
    for (let last = false; !last; ) {
      const block = read(at, 3)
      if (!block) return false
      const header = block.getUint16(0, true) | (block.getUint8(2) << 16)
      const kind = (header >> 1) & 3
      if (kind === RESERVED_BLOCK) return false
      last = (header & 1) === 1
      at += 3 + (kind === RUN_BLOCK ? 1 : header >>> 3)
    }
    if (descriptor & 4) at += 4
  }
  return at === sizeBytes
}
