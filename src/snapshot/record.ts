// Records of a snapshot file: each is a gzip member of its own, with its kind and sizes in the member's extra field. So the
// file is an ordinary gzip stream (zcat shows it), is written in one pass, and is read at any place.
import { gunzipSync, gzipSync } from 'node:zlib'
import { crc32 } from './crc32.js'
import { DamagedRecord } from './damaged-snapshot.js'

/** One record as its header tells it. */
export interface RecordPlace {
  readonly kind: number
  /** Where its member begins in the file, and its length. */
  readonly position: number
  readonly packedBytes: number
  readonly unpackedBytes: number
  /** What the kind adds, to find a record without unpacking it. */
  readonly detail: Uint8Array
}

// RFC 1952: magic, deflate, flags FEXTRA and FHCRC, no time, no level, "unknown" system, length of the extra field.
const MAGIC = [0x1f, 0x8b, 8, 0x06, 0, 0, 0, 0, 0, 255]
const SUBFIELD = [0x41, 0x69] // "Ai"
const FIXED_BYTES = 9
const TRAILER_BYTES = 8
const GZIP_HEADER_BYTES = 10

/** No header is longer: what a reader needs at a record's position to know it. */
export const MOST_HEADER_BYTES = 96

/** A record as bytes of the file. `detail` takes at most 64 bytes. */
export function packRecord(kind: number, content: Uint8Array, detail: Uint8Array = new Uint8Array()): Buffer {
  const bare = gzipSync(content).subarray(GZIP_HEADER_BYTES)
  const dataBytes = FIXED_BYTES + detail.length
  const headerBytes = GZIP_HEADER_BYTES + 2 + 4 + dataBytes + 2
  const packed = Buffer.alloc(headerBytes + bare.length)
  packed.set(MAGIC, 0)
  packed.writeUInt16LE(4 + dataBytes, 10)
  packed.set(SUBFIELD, 12)
  packed.writeUInt16LE(dataBytes, 14)
  packed.writeUInt8(kind, 16)
  packed.writeUInt32LE(packed.length, 17)
  packed.writeUInt32LE(content.length, 21)
  packed.set(detail, 16 + FIXED_BYTES)
  packed.writeUInt16LE(crc32(packed.subarray(0, headerBytes - 2)) & 0xffff, headerBytes - 2)
  packed.set(bare, headerBytes)
  return packed
}

/** The record that begins with `head` (MOST_HEADER_BYTES, fewer at the file's end); null when none begins there. */
export function parseRecordHeader(head: Uint8Array, position: number): RecordPlace | null {
  if (head.length < 18 + FIXED_BYTES || MAGIC.some((byte, at) => head[at] !== byte)) return null
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  const dataBytes = view.getUint16(14, true)
  const headerBytes = 16 + dataBytes + 2
  if (head[12] !== SUBFIELD[0] || head[13] !== SUBFIELD[1]) return null
  if (view.getUint16(10, true) !== 4 + dataBytes || dataBytes < FIXED_BYTES || headerBytes > head.length)
    return null
  if (view.getUint16(headerBytes - 2, true) !== (crc32(head.subarray(0, headerBytes - 2)) & 0xffff))
    return null
  const packedBytes = view.getUint32(17, true)
  if (packedBytes < headerBytes + TRAILER_BYTES) return null
  return {
    kind: head[16]!,
    position,
    packedBytes,
    unpackedBytes: view.getUint32(21, true),
    detail: head.slice(16 + FIXED_BYTES, 16 + dataBytes),
  }
}

/** What a record holds; `packed` is its whole member. Takes no more memory than its header promises. Throws DamagedRecord. */
export function unpackRecord(place: RecordPlace, packed: Uint8Array): Buffer {
  let content: Buffer
  try {
    content = gunzipSync(packed, { maxOutputLength: Math.max(1, place.unpackedBytes) })
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new DamagedRecord(`its record at byte ${place.position} cannot be unpacked (${why})`)
  }
  if (content.length !== place.unpackedBytes)
    throw new DamagedRecord(`its record at byte ${place.position} is not as long as it says`)
  return content
}
