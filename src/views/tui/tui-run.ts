// One run of the TUI: input, signals and answers go into the reducer, and every new state onto the screen.
import type { Session } from '../../session/session.js'
import type { Action } from './actions.js'
import { bodyRows } from './body.js'
import { chromeOf } from './chrome.js'
import { clip } from './columns.js'
import { Compositor } from './compositor.js'
import type { InkScreen } from './ink-screen.js'
import { type Key, KeyDecoder } from './keys.js'
import type { LoadProgress } from './loading.js'
import { type Paint, paintFor } from './paint.js'
import { Asker } from './questions/asker.js'
import { QUESTIONS } from './questions/questions.js'
import { initialState, reduce } from './reduce.js'
import type { TuiServices } from './services.js'
import { Terminal, type TerminalStreams } from './terminal.js'
import { ROWS_ABOVE, SMALLEST, type TuiState } from './tui-state.js'

/** How the TUI ended: a key (`quit`, and Ctrl-C as `SIGINT`) or a signal. */
export type TuiEnding = 'quit' | 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** How long an ESC waits for the rest of a key's sequence: slow connections split them. */
const ESCAPE_WAIT_MS = 40
/** What the opening screen itself takes (frame.tsx, Opening). */
const OPENING_ROWS = 6
const TICK_MS = 1000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface RunOptions {
  readonly color: boolean
  /** Only ASCII reaches the terminal. */
  readonly ascii: boolean
  readonly services: TuiServices | null
}

/** Owns the terminal from `start` until its promise settles. */
export class TuiRun {
  readonly #terminal: Terminal
  readonly #compositor: Compositor
  readonly #paint: Paint
  readonly #keys = new KeyDecoder()
  readonly #asker: Asker
  #screen: InkScreen | null = null
  #ready: { readonly session: Session; state: TuiState } | null = null
  #progress: LoadProgress = { text: 'opening …', fraction: null }
  #escape: NodeJS.Timeout | undefined
  #suspended: NodeJS.Timeout | undefined
  #ticker: NodeJS.Timeout | undefined
  /** When a live target was read last, and what was sent to the clipboard last. */
  #readAt = 0
  #copied = 0
  #over = false
  #resolve!: (ending: TuiEnding) => void
  #reject!: (error: unknown) => void

  constructor(streams: TerminalStreams, { color, ascii, services }: RunOptions) {
    this.#paint = paintFor(color)
    this.#asker = new Asker({
      questions: QUESTIONS,
      services,
      act: (action) => {
        this.#act(action)
        this.#draw()
      },
    })
    this.#terminal = new Terminal(streams, {
      input: (text) => this.#onInput(text),
      resize: () => this.#onResize(),
      gone: () => this.#end('SIGHUP'),
    })
    this.#compositor = new Compositor(this.#terminal.size, (text) => this.#terminal.send(text), ascii)
  }

  /** Settles when the user leaves, or when something fails that nobody else handles. */
  start(
    mount: (compositor: Compositor, paint: Paint) => InkScreen,
    opening: Promise<Session>,
  ): Promise<TuiEnding> {
    const ended = new Promise<TuiEnding>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    process.on('uncaughtException', this.#fail)
    process.on('unhandledRejection', this.#fail)
    process.on('exit', this.#onExit)
    try {
      this.#screen = mount(this.#compositor, this.#paint)
      this.#terminal.enter()
      this.#compositor.resize(this.#terminal.size)
      this.#draw()
    } catch (error) {
      this.#fail(error)
    }
    opening.then((session) => this.#onOpened(session)).catch(this.#fail)
    return ended
  }

  /** What the first frame says while the session is opened, or the status line once it can be looked at. */
  showProgress(progress: LoadProgress): void {
    this.#progress = progress
    const { text, fraction } = progress
    if (this.#ready) this.#act({ type: 'loading', loading: { text, fraction: fraction ?? 0 } })
    this.#draw()
  }

  /** The panes of a session whose heaps are still being read. */
  showEarly(session: Session): void {
    const { text, fraction } = this.#progress
    this.#show(session, { text, fraction: fraction ?? 0 })
    this.#draw()
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => this.#end(signal as TuiEnding)
  readonly #onExit = (): void => this.#terminal.leave()

  readonly #fail = (error: unknown): void => {
    if (this.#over) return
    this.#restore()
    this.#reject(error)
  }

  #end(ending: TuiEnding): void {
    if (this.#over) return
    this.#restore()
    this.#resolve(ending)
  }

  #restore(): void {
    this.#over = true
    clearTimeout(this.#escape)
    clearInterval(this.#suspended)
    clearInterval(this.#ticker)
    this.#asker.stop()
    this.#terminal.leave()
    this.#screen?.unmount()
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    process.off('uncaughtException', this.#fail)
    process.off('unhandledRejection', this.#fail)
    process.off('exit', this.#onExit)
  }

  #onOpened(session: Session): void {
    if (this.#ready) this.#act({ type: 'opened' })
    else this.#show(session)
    this.#draw()
  }

  #show(session: Session, loading: TuiState['loading'] = null): void {
    if (this.#over) return
    this.#ready = { session, state: { ...initialState(session, this.#terminal.size), loading } }
    this.#readAt = performance.now()
    if (session.isLive) {
      this.#ticker = setInterval(() => this.#tick(), TICK_MS)
      this.#tick()
    }
  }

  /** Says what a live target does, and looks at it again when it is time. */
  #tick(): void {
    if (!this.#ready) return
    const { session, state } = this.#ready
    const ageSeconds = Math.floor((performance.now() - this.#readAt) / 1000)
    this.#act({ type: 'tick', live: { process: session.processState(), ageSeconds } })
    const isDue = state.everySeconds !== null && ageSeconds >= state.everySeconds
    if (isDue && !state.refreshing && !state.dialog) this.#act({ type: 'key', key: 'refresh' })
    this.#draw()
  }

  #onInput(text: string): void {
    clearTimeout(this.#escape)
    this.#onKeys(this.#keys.push(text))
    if (!this.#over && this.#keys.pending)
      this.#escape = setTimeout(() => this.#onKeys(this.#keys.flush()), ESCAPE_WAIT_MS)
  }

  #onKeys(keys: readonly Key[]): void {
    for (const key of keys) {
      if (this.#over) return
      this.#onKey(key)
    }
    this.#draw()
  }

  #onKey(key: Key): void {
    if (key === 'ctrl-z') this.#suspend()
    else if (key === 'ctrl-l') this.#compositor.resize(this.#terminal.size)
    else if (this.#ready) this.#act({ type: 'key', key })
    else if (key === 'ctrl-c') this.#end('SIGINT')
    else if (key === 'q') this.#end('quit')
  }

  #onResize(): void {
    this.#compositor.resize(this.#terminal.size)
    this.#act({ type: 'resize', size: this.#terminal.size })
    this.#draw()
  }

  /** Ctrl-Z as everywhere: the terminal is the shell's until `fg`. The timer keeps the process until then. */
  #suspend(): void {
    this.#terminal.leave()
    this.#suspended = setInterval(() => undefined, 1000)
    process.once('SIGCONT', () => {
      clearInterval(this.#suspended)
      if (this.#over) return
      this.#terminal.enter()
      this.#onResize()
    })
    process.kill(0, 'SIGTSTP')
  }

  #act(action: Action): void {
    const { session, state } = this.#ready ?? {}
    if (!session || !state || this.#over) return
    const next = reduce(state, action, session)
    this.#ready = { session, state: next }
    if (action.type === 'refreshed') {
      this.#readAt = performance.now()
      this.#act({ type: 'tick', live: { process: session.processState(), ageSeconds: 0 } })
    }
    if (next.copied && next.copied.serial !== this.#copied) {
      this.#copied = next.copied.serial
      this.#terminal.copy(next.copied.text)
    }
    if (next.ended) this.#end(next.ended)
  }

  #draw(): void {
    if (this.#over || !this.#screen) return
    const { size } = this.#terminal
    if (size.columns < SMALLEST.columns || size.rows < SMALLEST.rows)
      this.#drawOnly((s) => s.showTooSmall(size))
    else if (!this.#ready) this.#drawOnly((s) => s.showOpening(size, this.#progress), this.#progress.rows?.())
    else {
      const { session, state } = this.#ready
      this.#screen.showFrame(chromeOf(state, session, this.#paint))
      this.#terminal.mouse = state.mouse
      const body = bodyRows(state, session, this.#paint)
      this.#compositor.paint(body, ROWS_ABOVE)
    }
    if (this.#ready) this.#asker.update(this.#ready.state, this.#ready.session)
  }

  #drawOnly(show: (screen: InkScreen) => void, below: readonly string[] = []): void {
    show(this.#screen!)
    const rows = below.slice(0, Math.max(0, this.#terminal.size.rows - OPENING_ROWS))
    this.#compositor.paint(
      rows.map((row) => clip(row, this.#terminal.size.columns)),
      rows.length > 0 ? OPENING_ROWS : 0,
    )
  }
}
