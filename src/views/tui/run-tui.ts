// The way in: takes the terminal, shows the first frame, and runs until the user leaves.
import type { SessionToOpen } from './loading.js'
import type { TuiServices } from './services.js'
import type { TerminalStreams } from './terminal.js'
import { type TuiEnding, TuiRun } from './tui-run.js'

export interface TuiOptions extends TerminalStreams {
  readonly color: boolean
  /** True: the terminal shows only ASCII. */
  readonly ascii?: boolean
  /** What is done outside of the TUI; absent: it only looks. */
  readonly services?: TuiServices
}

/** React reads NODE_ENV when it is imported; ink would look for React's developer tools when DEV is true. */
async function loadInk() {
  process.env.NODE_ENV ??= 'production'
  const developer = process.env.DEV
  delete process.env.DEV
  try {
    return await import('./ink-screen.js')
  } finally {
    if (developer !== undefined) process.env.DEV = developer
  }
}

/**
 * Runs the TUI on a terminal and answers how the user left; a signal asks the caller for exit code 128 + its
 * number. While the session is not there yet, the first frame shows what `Loading.progress` tells. The terminal is
 * as before on every way out. Rejects, with the terminal restored, when the session cannot be opened, or with what
 * would have ended the process. The session stays the caller's: it is never closed here.
 */
export async function runTui(open: SessionToOpen, options: TuiOptions): Promise<TuiEnding> {
  if (!options.stdin.isTTY || !options.stdout.isTTY) throw new TypeError('the TUI needs a terminal')
  const leaving = new AbortController()
  const run = new TuiRun(options, {
    color: options.color,
    ascii: options.ascii === true,
    services: options.services ?? null,
  })
  const begin = typeof open === 'function' ? open : () => open
  if (typeof open !== 'function') Promise.resolve(open).catch(() => undefined)
  const { InkScreen } = await loadInk()
  // Reading the target keeps the process busy: not before the first frame is on the screen.
  const opening = Promise.resolve().then(() =>
    begin({
      signal: leaving.signal,
      progress: (progress) => run.showProgress(progress),
      early: (session) => run.showEarly(session),
    }),
  )
  try {
    return await run.start((compositor, paint) => new InkScreen(compositor, options.stdin, paint), opening)
  } finally {
    leaving.abort()
  }
}
