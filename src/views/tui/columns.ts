// Text in columns: widths are those on the screen, so that wide and combining characters keep the alignment.
import stringWidth from 'string-width'

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })
/** Characters of one column and one UTF-16 unit each: nearly everything on the screen. */
const NARROW = /^[\x20-\x7e·…→↓▲▸▼\u2500-\u259f]*$/
const ESC = '\x1b'
const SGR = new RegExp(`${ESC}\\[[0-9;]*m`, 'g')

/** Columns that `text` takes on the screen; colour takes none. */
export function widthOf(text: string): number {
  const plain = text.includes(ESC) ? text.replace(SGR, '') : text
  return NARROW.test(plain) ? plain.length : stringWidth(plain)
}

/** The longest start of uncoloured `text` that fits `width` columns. */
function prefix(text: string, width: number): string {
  if (NARROW.test(text)) return text.slice(0, Math.max(0, width))
  let kept = ''
  let used = 0
  for (const { segment } of GRAPHEMES.segment(text)) {
    used += stringWidth(segment)
    if (used > width) break
    kept += segment
  }
  return kept
}

/** Uncoloured `text` cut at `width` columns, ending in `…` when something was cut. */
export function clip(text: string, width: number): string {
  if (width <= 0) return ''
  return widthOf(text) <= width ? text : `${prefix(text, width - 1)}…`
}

/** Uncoloured `text` in exactly `width` columns. */
export function cell(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const shown = clip(text, width)
  const space = ' '.repeat(Math.max(0, width - widthOf(shown)))
  return align === 'left' ? shown + space : space + shown
}

/** A coloured row cut at `width` columns; the colours in it stay closed. */
export function clipRow(row: string, width: number): string {
  if (widthOf(row) <= width) return row
  let kept = ''
  let used = 0
  let last = 0
  const take = (text: string) => {
    const part = clip(text, Math.max(0, width - used))
    kept += part
    used += widthOf(part)
  }
  for (const match of row.matchAll(SGR)) {
    take(row.slice(last, match.index))
    kept += match[0]
    last = match.index + match[0].length
  }
  take(row.slice(last))
  return kept
}

/** A coloured row in exactly `width` columns. */
export function fitRow(row: string, width: number): string {
  const shown = clipRow(row, width)
  return shown + ' '.repeat(Math.max(0, width - widthOf(shown)))
}

/** Uncoloured `text` broken at spaces into lines of at most `width` columns; longer words are broken. */
export function wrap(text: string, width: number): string[] {
  const room = Math.max(1, width)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`
    if (widthOf(joined) <= room) {
      line = joined
      continue
    }
    if (line !== '') lines.push(line)
    line = word
    while (widthOf(line) > room) {
      const head = prefix(line, room) || [...line][0]!
      lines.push(head)
      line = line.slice(head.length)
    }
  }
  lines.push(line)
  return lines
}
