// Where a watch goes while it runs: lines, with a block in place below them on a terminal, or NDJSON.
import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import { watchSampleLine, watchSummaryLine } from '../views/json/watch-json.js'
import { type WatchState, watchBlock, watchLine, watchSummaryText } from '../views/text/watch-text.js'
import type { WatchSummary } from '../watch/summary.js'

export interface Display {
  show(state: WatchState): void
  end(summary: WatchSummary): void
}

/** NDJSON on stdout. */
export const JSON_DISPLAY: Display = {
  show: ({ last }) => void process.stdout.write(watchSampleLine(last)),
  end: (summary) => void process.stdout.write(watchSummaryLine(summary)),
}

/** Only lines: piped, or into a file. */
export const PLAIN_DISPLAY: Display = {
  show: ({ last, previous }) => void process.stdout.write(`${watchLine(last, previous)}\n`),
  end: (summary) => void process.stdout.write(`\n${watchSummaryText(summary, false)}`),
}

const NARROWEST = 40

/** Lines that scroll away, and below them what moves, drawn anew with each sample. */
export class TerminalDisplay implements Display {
  #block: readonly string[] = []

  constructor(readonly color: boolean) {}

  show(state: WatchState): void {
    const width = this.#width()
    const erase = this.#erase()
    // The last column stays free: a full line wraps on some terminals only.
    this.#block = watchBlock(state, width - 1, this.color)
    process.stdout.write(`${erase}${watchLine(state.last, state.previous)}\n${this.#block.join('\n')}\n`)
  }

  end(summary: WatchSummary): void {
    process.stdout.write(`${this.#erase()}\n${watchSummaryText(summary, this.color)}`)
  }

  /** Takes the block away, for a message; the next sample brings it back. */
  clear(): void {
    process.stdout.write(this.#erase())
    this.#block = []
  }

  // A terminal that was made narrower has wrapped what stood there.
  #erase(): string {
    const width = this.#width()
    const rows = this.#block.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(stringWidth(stripVTControlCharacters(line)) / width)),
      0,
    )
    return rows === 0 ? '' : `\x1b[${rows}A\r\x1b[0J`
  }

  #width(): number {
    return Math.max(NARROWEST, process.stdout.columns ?? 80)
  }
}
