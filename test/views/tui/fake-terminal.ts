// A terminal in memory: keys go in as bytes, and only the sequences that the TUI may send are understood.
import { EventEmitter } from 'node:events'
import stringWidth from 'string-width'
import type { TerminalStreams } from '../../../src/views/tui/terminal.js'
import type { Size } from '../../../src/views/tui/tui-state.js'

const ESC = '\x1b'
/** All that the TUI has a reason to send: place, clear, colour, modes, and OSC 52 with base64. */
const OWN = new RegExp(
  `${ESC}(?:\\[(?:(\\d+);1H|(H)|(2J)|(K)|[0-9;]*m|\\?(?:2026|1049|25|7|1000|1006)[hl])|\\]52;c;([A-Za-z0-9+/=]*)${ESC}\\\\)`,
  'y',
)
const CONTROL = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** What is wrong with what was sent; empty while nothing is. */
export class FakeTerminal extends EventEmitter {
  readonly isTTY = true
  readonly wrong: string[] = []
  /** What went to the clipboard. */
  readonly copied: string[] = []
  lines: string[] = []
  bytesSent = 0
  #row = 0
  readonly #checked: string[] = []

  constructor(
    public columns: number,
    public rows: number,
  ) {
    super()
    this.setMaxListeners(100)
  }

  get streams(): TerminalStreams {
    const stdin = new EventEmitter() as EventEmitter & Record<string, unknown>
    for (const name of ['setEncoding', 'setRawMode', 'ref', 'unref', 'resume', 'pause'])
      stdin[name] = () => stdin
    stdin.isTTY = true
    this.on('typed', (text: string) => stdin.emit('data', text))
    return {
      stdin: stdin as unknown as NodeJS.ReadStream,
      stdout: this as unknown as NodeJS.WriteStream,
    }
  }

  type(text: string): void {
    this.emit('typed', text)
  }

  resize({ columns, rows }: Size): void {
    this.columns = columns
    this.rows = rows
    this.#checked.length = 0
    this.emit('resize')
  }

  /** Called by the TUI. */
  write(text: string): boolean {
    this.bytesSent += text.length
    for (let at = 0; at < text.length; ) {
      if (text[at] !== ESC) {
        const next = text.indexOf(ESC, at)
        const end = next < 0 ? text.length : next
        this.#print(text.slice(at, end))
        at = end
        continue
      }
      OWN.lastIndex = at
      const match = OWN.exec(text)
      if (!match) {
        this.wrong.push(`not its own: ${JSON.stringify(text.slice(at, at + 20))}`)
        return true
      }
      const [all, row, home, clear, rest, copied] = match
      at += all.length
      if (row || home) this.#goTo(row ? Number(row) - 1 : 0)
      else if (clear) this.lines = []
      else if (rest) this.lines[this.#row] ??= ''
      else if (copied !== undefined) this.copied.push(Buffer.from(copied, 'base64').toString())
    }
    return true
  }

  /** The rows as they look, as many as the terminal has. */
  get screen(): readonly string[] {
    return Array.from({ length: this.rows }, (_, row) => this.lines[row] ?? '')
  }

  /** Adds to `wrong` what no frame may be. */
  check(): void {
    if (this.lines.length > this.rows) this.wrong.push(`${this.lines.length} rows in ${this.rows}`)
    for (const [at, row] of this.screen.entries()) {
      if (this.#checked[at] === row) continue
      this.#checked[at] = row
      if (stringWidth(row) > this.columns)
        this.wrong.push(`wider than ${this.columns}: ${JSON.stringify(row)}`)
    }
  }

  #goTo(row: number): void {
    if (row >= this.rows) this.wrong.push(`row ${row + 1} of ${this.rows}`)
    this.#row = row
    this.lines[row] = ''
  }

  #print(text: string): void {
    const control = CONTROL.exec(text)
    if (control) this.wrong.push(`a control character: ${JSON.stringify(text)}`)
    this.lines[this.#row] += text
  }
}
