// Bytes of the target as text: hex, words and characters. An unknown byte is never a number.

/** Part of a read: the bytes at one row. */
export interface KnownBytes {
  readonly bytes: Uint8Array
  readonly known: Uint8Array
}

/** What stands for a byte that could not be read. */
export const UNKNOWN = '──'

/** `7f4549 …` of the `count` bytes from `start`, a space after every `group` bytes. */
export function hexText(read: KnownBytes, start: number, count: number, group: number): string {
  let text = ''
  for (let i = 0; i < count; i++) {
    if (i > 0 && i % group === 0) text += ' '
    text += byteText(read, start + i)
  }
  return text
}

/** The little-endian word at `start` as `0x` and all its digits; unknown bytes keep their place. */
export function wordText(read: KnownBytes, start: number, wordBytes: number): string {
  let text = '0x'
  for (let i = wordBytes - 1; i >= 0; i--) text += byteText(read, start + i)
  return text
}

/** The little-endian word at `start`, or null when a byte of it is unknown. */
export function wordValue(read: KnownBytes, start: number, wordBytes: number): bigint | null {
  let value = 0n
  for (let i = wordBytes - 1; i >= 0; i--) {
    if (read.known[start + i] !== 1) return null
    value = (value << 8n) | BigInt(read.bytes[start + i]!)
  }
  return value
}

/** One column per byte: ASCII as it is, `.` for any other byte, `─` for an unknown one. */
export function asciiText(read: KnownBytes, start: number, count: number): string {
  let text = ''
  for (let i = start; i < start + count; i++) {
    const byte = read.bytes[i]!
    if (read.known[i] !== 1) text += '─'
    else text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
  }
  return text
}

function byteText(read: KnownBytes, at: number): string {
  return read.known[at] === 1 ? read.bytes[at]!.toString(16).padStart(2, '0') : UNKNOWN
}
