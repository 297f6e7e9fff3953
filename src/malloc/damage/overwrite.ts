// What an impossible size field holds, and what most likely wrote it.
import { hex } from '../../memory/address.js'

/** A size field as found, in words, and its likely cause; null: nothing stands out. */
export interface Overwrite {
  /** e.g. ``ASCII `AAAAAAAA` ``, `0x7f0012345678`. */
  readonly found: string
  readonly cause: string | null
}

/** What a proper size field of a chunk is. */
export interface SizeBounds {
  readonly least: number
  readonly most: number
  readonly align: number
}

/** Judges the size field `value` (flags included) of `wordBytes`; `before`: the chunk before it, null when unknown. */
export function overwriteOf(
  value: bigint,
  wordBytes: 8 | 4,
  before: bigint | null,
  { least, most, align }: SizeBounds,
): Overwrite {
  const bytes = Array.from({ length: wordBytes }, (_, byte) => Number((value >> BigInt(8 * byte)) & 0xffn))
  const source = before === null ? 'the memory before it' : `the chunk before, ${hex(before)}`
  const text = asciiOf(bytes)
  if (text !== null) return { found: `ASCII \`${text}\``, cause: `probably an overflow from ${source}` }
  const [first] = bytes
  if (bytes.every((byte) => byte === first)) {
    if (first === 0) {
      return { found: '0', cause: `zeroed by an overflow from ${source}, or that chunk's own size is wrong` }
    }
    const pattern = `${wordBytes} bytes of 0x${first!.toString(16).padStart(2, '0')}`
    return { found: pattern, cause: `a fill pattern: probably an overflow from ${source}` }
  }
  const size = value & ~7n
  const found = hex(value)
  if ((value & 2n) !== 0n && size <= BigInt(most)) {
    return { found, cause: 'it says that the chunk is mmapped, which no chunk of a heap is' }
  }
  if (size > BigInt(most)) return { found, cause: 'larger than what is left of its heap' }
  if (size < BigInt(least)) return { found, cause: 'smaller than any chunk' }
  return { found, cause: size % BigInt(align) === 0n ? null : 'not aligned' }
}

// At least four printable characters, then at most the zeros that end a string.
function asciiOf(bytes: readonly number[]): string | null {
  let length = bytes.findIndex((byte) => byte < 0x20 || byte > 0x7e)
  if (length < 0) length = bytes.length
  if (length < 4 || bytes.slice(length).some((byte) => byte !== 0)) return null
  return String.fromCharCode(...bytes.slice(0, length))
}
