// How a row of the hexdump is laid out in the width there is.
import type { MemoryState } from './tui-state.js'

/** Columns of one row: address, hex groups or one word, characters, chunk mark, note. */
export interface DumpShape {
  readonly view: MemoryState['view']
  /** Bytes of a row: a power of two. */
  readonly bytes: number
  /** Bytes between two spaces inside a word. */
  readonly groupBytes: 1 | 4
  readonly wordBytes: 8 | 4
  readonly addressDigits: number
  readonly markWidth: number
  /** Room for symbols and field names; 0 in the bytes view. */
  readonly noteWidth: number
  /** Marks say `arena 3` and not `a3`. */
  readonly longMarks: boolean
}

/** With the space before it. */
const LONG_MARK = 23
const SHORT_MARK = 15

/** Bytes of a row, how they are grouped, room for the mark: widest first. */
const LAYOUTS = [
  [32, 1, LONG_MARK],
  [16, 1, LONG_MARK],
  [16, 4, SHORT_MARK],
] as const
const NARROWEST = [8, 4, 0] as const

function wordWidth(groupBytes: 1 | 4, wordBytes: number): number {
  return wordBytes * 2 + wordBytes / groupBytes - 1
}

/** Columns of address, hex and characters, with the cursor's brackets between words: they share one in tight rows. */
function dumpWidth(bytes: number, groupBytes: 1 | 4, wordBytes: number, digits: number): number {
  const word = wordWidth(groupBytes, wordBytes) + (groupBytes === 1 ? 2 : 1)
  return digits + (bytes / wordBytes) * word + (groupBytes === 1 ? 0 : 1) + bytes
}

/** The widest layout that fits `columns`. */
export function shapeFor(view: MemoryState['view'], columns: number, wordBytes: 8 | 4): DumpShape {
  const digits = wordBytes === 8 ? 12 : 8
  const common = { view, wordBytes, addressDigits: digits }
  if (view === 'words' || view === 'chunks') {
    const fixed = digits + 1 + wordBytes * 2 + 2 + 1 + wordBytes
    const longMarks = columns >= 100
    const markWidth = Math.max(0, Math.min(longMarks ? LONG_MARK : SHORT_MARK, columns - fixed))
    const noteWidth = Math.max(0, columns - fixed - markWidth - 1)
    return { ...common, bytes: wordBytes, groupBytes: 4, markWidth, noteWidth, longMarks }
  }
  const fits = ([bytes, groupBytes, mark]: (typeof LAYOUTS)[number]) =>
    dumpWidth(bytes, groupBytes, wordBytes, digits) + mark <= columns
  const [bytes, groupBytes] = LAYOUTS.find(fits) ?? NARROWEST
  const markWidth = Math.max(0, columns - dumpWidth(bytes, groupBytes, wordBytes, digits))
  return { ...common, bytes, groupBytes, markWidth, noteWidth: 0, longMarks: markWidth >= LONG_MARK }
}
