// Puts Ink's frame and a pane's rows together and sends the terminal only the lines that changed.
import { EventEmitter } from 'node:events'
import { clipRow, widthOf } from './columns.js'
import type { Size } from './tui-state.js'

const ESC = '\x1b'
/** Controls, bidi ones too, but an SGR sequence: nothing else may reach the terminal inside a row. */
const UNWANTED = new RegExp(
  `(${ESC}\\[[0-9;]*m)|[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]`,
  'g',
)

/** What stands for a character where the terminal shows only ASCII; one column for one. */
const ASCII: Readonly<Record<string, string>> = {
  '·': '-',
  '…': '~',
  '─': '-',
  '╌': '-',
  '│': '|',
  '└': '`',
  '█': '#',
  '▓': '%',
  '▒': '+',
  '░': ':',
  '▏': '|',
  '▎': '|',
  '▍': '|',
  '▌': '#',
  '▋': '#',
  '▊': '#',
  '▉': '#',
  '▸': '>',
  '▯': '@',
  '▴': '^',
  '▲': '^',
  '▾': 'v',
  '▼': 'v',
  '→': '>',
  '←': '<',
  '↑': '^',
  '↓': 'v',
  '×': 'x',
  '≥': '>',
  '≤': '<',
}
/** One UTF-16 unit and one column each: no need to look for graphemes. */
const PLAIN = new RegExp(`^[${ESC}\\x20-\\x7e·…←-↓▴▾×≥≤\\u2500-\\u25bc]*$`)
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** `row` in ASCII, as wide as before. */
export function asciiRow(row: string): string {
  if (PLAIN.test(row)) return row.replace(/[^\0-~]/g, (character) => ASCII[character] ?? '?')
  let text = ''
  for (const { segment } of GRAPHEMES.segment(row))
    text += segment <= '~' ? segment : (ASCII[segment] ?? '?'.repeat(widthOf(segment)))
  return text
}

/**
 * Ink's stdout: it takes whole frames (`debug: true`) and keeps the last. `paint` lays the rows of the body over
 * it and writes the difference to the screen before. `isTTY` is false so that Ink itself sends no sequences.
 */
export class Compositor extends EventEmitter {
  readonly isTTY = false
  columns: number
  rows: number
  readonly #send: (text: string) => void
  #frame: readonly string[] = []
  #screen: readonly string[] | null = null

  /** `ascii`: the terminal cannot show other characters. */
  constructor(
    size: Size,
    send: (text: string) => void,
    readonly ascii = false,
  ) {
    super()
    this.columns = size.columns
    this.rows = size.rows
    this.#send = send
  }

  /** Called by Ink. */
  write(frame: string): boolean {
    this.#frame = frame.split('\n')
    return true
  }

  /** The next paint writes every line. */
  resize(size: Size): void {
    this.columns = size.columns
    this.rows = size.rows
    this.#screen = null
  }

  /** Ink's last frame with `body` from line `top` on, as it is or will be on the screen. */
  compose(body: readonly string[], top: number): string[] {
    return Array.from({ length: this.rows }, (_, line) => {
      const wide = body[line - top] ?? this.#frame[line] ?? ''
      const row = this.ascii ? asciiRow(wide) : wide
      return clipRow(
        row.replace(UNWANTED, (_all, sgr: string | undefined) => sgr ?? '?'),
        this.columns,
      )
    })
  }

  /** Brings the screen up to date. */
  paint(body: readonly string[], top: number): void {
    const rows = this.compose(body, top)
    const before = this.#screen
    let text = before ? '' : `${ESC}[0m${ESC}[2J`
    for (const [line, row] of rows.entries()) {
      if (before ? before[line] === row : row === '') continue
      const rest = widthOf(row) < this.columns ? `${ESC}[K` : ''
      text += `${ESC}[${line + 1};1H${row}${ESC}[0m${rest}`
    }
    this.#screen = rows
    if (text !== '') this.#send(`${ESC}[?2026h${text}${ESC}[?2026l`)
  }
}
