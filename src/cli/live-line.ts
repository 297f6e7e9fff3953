// One line on a terminal's stderr that is written over while something goes on; nothing where stderr is no terminal.
import stringWidth from 'string-width'
import { printable } from '../format/printable.js'

export class LiveLine {
  #isShown = false

  show(text: string): void {
    if (!process.stderr.isTTY) return
    const most = Math.max(20, process.stderr.columns || 80) - 1
    let shown = printable(text)
    while (stringWidth(shown) > most) shown = shown.slice(0, -1)
    process.stderr.write(`\r\x1b[2K${shown}`)
    this.#isShown = true
  }

  clear(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[2K')
    this.#isShown = false
  }
}
