// What the command line shows besides its output: messages, progress, colour.
import type { SingleBar } from 'cli-progress'
import picocolors from 'picocolors'
import { printable } from '../format/printable.js'

/** True when output may carry colour: a terminal, and neither NO_COLOR nor --no-color. */
export function colorWanted(wanted: boolean): boolean {
  return wanted && process.stdout.isTTY === true && picocolors.isColorSupported
}

/** Terminals that show no more than their own character set. */
const PLAIN_TERMINALS = /^(?:linux|dumb|vt\d+|xterm-old)$/

/**
 * True where only ASCII can be shown: the locale names another character set (POSIX: LC_ALL, LC_CTYPE, LANG, the first
 * that is set), or the terminal is known for it. Without any locale UTF-8 is taken for granted: containers have none.
 */
export function asciiWanted(env: NodeJS.ProcessEnv): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '')
  if (locale !== undefined && !/utf-?8/i.test(locale)) return true
  return PLAIN_TERMINALS.test(env.TERM ?? '')
}

/** A line on stderr, made printable. */
export function say(text: string): void {
  process.stderr.write(`arena-inspect: ${printable(text)}\n`)
}

/** Work shorter than this shows no progress. */
const QUIET_MS = 1000

/** Progress of counted work on a terminal's stderr, from the first second on; `stop` clears the line. */
export class Progress {
  #bar: SingleBar | null = null
  readonly #started = performance.now()

  constructor(readonly what: string) {}

  /** Shows `done` of `total`, and lets signals and timers run. `first`: lines to show once above the bar. */
  async update(done: number, total: number, first?: () => string): Promise<void> {
    if (process.stderr.isTTY && performance.now() - this.#started > QUIET_MS) {
      if (!this.#bar) {
        const { SingleBar } = await import('cli-progress')
        const format = `${this.what} {bar} {value}/{total}, {eta_formatted} left`
        this.#bar = new SingleBar({
          format,
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: false,
        })
        if (first) process.stderr.write(`${first()}\n`)
        this.#bar.start(total, done)
      }
      this.#bar.update(done)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }

  stop(): void {
    this.#bar?.stop()
  }
}
