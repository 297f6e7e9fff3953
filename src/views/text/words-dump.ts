// Memory as gdb's x/a prints it: words with their symbols, two a line on 64 bit, four on 32 bit.
import { printable } from '../../format/printable.js'

export interface WordsDump {
  readonly start: bigint
  readonly wordBytes: 8 | 4
  readonly words: readonly bigint[]
  /** `symbol+offset` or null: of the address of each word that begins a line, and of each word. */
  readonly symbolOf: (value: bigint) => string | null
  /** What begins in a line, e.g. chunks; an empty string for nothing. */
  readonly marksOf: (start: bigint, end: bigint) => string
}

/** How many words gdb puts on a line of x/a. */
export function wordsPerLine(wordBytes: 8 | 4): number {
  return wordBytes === 8 ? 2 : 4
}

/** `0xADDRESS <symbol>:\t0xWORD <symbol>\t0xWORD`, and `# marks` at the end of a line where there are some. */
export function renderWords({ start, wordBytes, words, symbolOf, marksOf }: WordsDump): string {
  const named = (value: bigint) => {
    const symbol = symbolOf(value)
    return `0x${value.toString(16)}${symbol === null ? '' : ` <${printable(symbol)}>`}`
  }
  const perLine = wordsPerLine(wordBytes)
  const lines: string[] = []
  for (let index = 0; index < words.length; index += perLine) {
    const at = start + BigInt(index * wordBytes)
    const shown = words.slice(index, index + perLine)
    const marks = marksOf(at, at + BigInt(shown.length * wordBytes))
    lines.push(`${named(at)}:\t${shown.map(named).join('\t')}${marks === '' ? '' : `\t# ${marks}`}\n`)
  }
  return lines.join('')
}
