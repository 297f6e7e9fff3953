// Text from the target made safe for a terminal: what would act on the screen is shown as an escape instead.

/** Acts on the terminal or cannot be seen: controls, bidi overrides, lone surrogates, invisible or unassigned characters. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu
/** A combining mark with nothing to stand on, and towers of more than four of them. */
const STRAY_MARK = /^\p{M}|(?<=\p{M}{4})\p{M}/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escaped(character: string): string {
  const short = SHORT[character]
  if (short) return short
  const code = character.codePointAt(0)!
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`
}

/**
 * `text` with every character that is not plainly visible replaced by `\n`, `\x1b`, `\u202e` or `\u{e0041}`.
 * The answer is one line and safe to send to a terminal. Applying it twice changes nothing more; a backslash
 * stays a backslash, so the answer is for reading, not for decoding.
 */
export function printable(text: string): string {
  return text.replace(UNSEEN, escaped).replace(STRAY_MARK, escaped)
}
