// What is looked for in memory, as it is typed: text, a pointer, or bytes.

export interface Needle {
  readonly kind: 'text' | 'pointer' | 'bytes'
  readonly bytes: Uint8Array
  /** Where it can be: pointers lie at multiples of a word. */
  readonly alignBytes: number
}

/** The text is nothing that can be looked for. */
export class NeedleError extends Error {
  override readonly name = 'NeedleError'
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

const MOST_BYTES = 4096
const HINT = 'type text, "text in quotes", a pointer such as 0x7f8f98000020, or bytes: de ad be ef'

/**
 * Reads `0x7f8f98000020` (a word with this value), `de ad be ef` (these bytes), `"0x10"` (the text between the quotes);
 * anything else is text, as UTF-8. Throws NeedleError.
 */
export function parseNeedle(text: string, wordBytes: 8 | 4): Needle {
  if (/^0x[0-9a-f]+$/i.test(text)) return pointer(text, wordBytes)
  const quoted = /^"([\s\S]*)"$/.exec(text)?.[1]
  const isBytes = /^[0-9a-f]{2}(?: +[0-9a-f]{2})+$/i.test(text)
  const bytes =
    quoted === undefined && isBytes
      ? Uint8Array.from(text.split(/ +/), (byte) => Number.parseInt(byte, 16))
      : new TextEncoder().encode(quoted ?? text)
  if (bytes.length === 0) throw new NeedleError('there is nothing to look for', HINT)
  if (bytes.length > MOST_BYTES)
    throw new NeedleError(`${bytes.length} bytes are too many to look for: ${MOST_BYTES} at most`, HINT)
  return { kind: quoted === undefined && isBytes ? 'bytes' : 'text', bytes, alignBytes: 1 }
}

function pointer(text: string, wordBytes: 8 | 4): Needle {
  const value = BigInt(text)
  if (value >> BigInt(8 * wordBytes))
    throw new NeedleError(`${text} does not fit a word of ${wordBytes} bytes`, HINT)
  const bytes = new Uint8Array(wordBytes)
  for (let i = 0; i < wordBytes; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn)
  return { kind: 'pointer', bytes, alignBytes: wordBytes }
}
