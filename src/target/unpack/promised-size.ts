// How large a packed file says it will be, before it is unpacked. Sources: RFC 1952 (gzip), RFC 8878 (zstd),
// lz4_Frame_format.md, xz-file-format.txt.
import { readSync } from 'node:fs'
import type { PackedFormat } from './packed-format.js'

// An index of a larger file is not read: it would hold millions of blocks.
const MAX_INDEX_BYTES = 16 << 20

/**
 * Bytes that the file behind `fd` unpacks to at least; null when it does not say. Of several members it may count
 * only one, so the truth can be more, never less unless the file is damaged.
 */
export function promisedSize(fd: number, sizeBytes: number, format: PackedFormat): number | null {
  const bytesAt = (position: number, count: number): DataView | null => {
    const bytes = new Uint8Array(count)
    if (position < 0 || readSync(fd, bytes, 0, count, position) < count) return null
    return new DataView(bytes.buffer)
  }
  const size = PROMISES[format.name](bytesAt, sizeBytes)
  return size !== null && Number.isSafeInteger(size) ? size : null
}

type BytesAt = (position: number, count: number) => DataView | null

const PROMISES: Record<PackedFormat['name'], (bytesAt: BytesAt, sizeBytes: number) => number | null> = {
  // ISIZE: modulo 2^32, of the last member.
  gzip: (bytesAt, sizeBytes) => bytesAt(sizeBytes - 4, 4)?.getUint32(0, true) ?? null,
  zstd: (bytesAt) => zstdSize(bytesAt(0, 18)),
  lz4: (bytesAt) => lz4Size(bytesAt(0, 14)),
  xz: xzSize,
  bzip2: () => null,
}

function zstdSize(head: DataView | null): number | null {
  if (head?.getUint32(0, true) !== 0xfd2fb528) return null
  const descriptor = head.getUint8(4)
  const single = (descriptor & 0x20) !== 0
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  const flag = descriptor >> 6
  if (flag === 0) return single ? head.getUint8(at) : null
  if (flag === 1) return head.getUint16(at, true) + 256
  return flag === 2 ? head.getUint32(at, true) : Number(head.getBigUint64(at, true))
}

function lz4Size(head: DataView | null): number | null {
  if (head?.getUint32(0, true) !== 0x184d2204 || (head.getUint8(4) & 8) === 0) return null
  return Number(head.getBigUint64(6, true))
}

/** The sum over the index of the last stream. */
function xzSize(bytesAt: BytesAt, sizeBytes: number): number | null {
  const footer = bytesAt(sizeBytes - 12, 12)
  if (footer?.getUint16(10, true) !== 0x5a59) return null
  const indexBytes = (footer.getUint32(4, true) + 1) * 4
  if (indexBytes > MAX_INDEX_BYTES) return null
  const index = bytesAt(sizeBytes - 12 - indexBytes, indexBytes)
  if (index?.getUint8(0) !== 0) return null
  let at = 1
  const number = (): number => {
    let value = 0
    for (let shift = 0; at < indexBytes && shift < 63; shift += 7) {
      const byte = index.getUint8(at++)
      value += (byte & 0x7f) * 2 ** shift
      if ((byte & 0x80) === 0) return value
    }
    return Number.NaN
  }
  const records = number()
  let sum = 0
  for (let i = 0; i < records; i++) {
    number()
    sum += number()
    if (!Number.isFinite(sum)) return null
  }
  return sum
}
