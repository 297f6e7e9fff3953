// The user's terminal: taken over for the full screen, given back as it was on every way out.

const ESC = '\x1b'
/** Alternate screen, cursor hidden, no wrapping at the right edge. */
const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?7l${ESC}[H`
/** Clicks and the wheel, as SGR reports (xterm's ctlseqs, "Any-event tracking"). */
const MOUSE_ON = `${ESC}[?1000h${ESC}[?1006h`
const MOUSE_OFF = `${ESC}[?1006l${ESC}[?1000l`
const LEAVE = `${MOUSE_OFF}${ESC}[?2026l${ESC}[0m${ESC}[?7h${ESC}[?25h${ESC}[?1049l`

/** Streams of one terminal; `process.stdin` and `process.stdout` are one. */
export interface TerminalStreams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
}

export interface TerminalEvents {
  input(text: string): void
  resize(): void
  /** The terminal went away: no input can come and no output arrive any more. */
  gone(): void
}

/** One terminal in raw mode on its alternate screen. */
export class Terminal {
  readonly #streams: TerminalStreams
  readonly #events: TerminalEvents
  #entered = false
  #gone = false
  #mouse = false

  constructor(streams: TerminalStreams, events: TerminalEvents) {
    this.#streams = streams
    this.#events = events
  }

  get size() {
    return { columns: this.#streams.stdout.columns || 80, rows: this.#streams.stdout.rows || 24 }
  }

  /** Takes the terminal over. The error listener stays for good: a late EIO must not end the process. */
  enter(): void {
    if (this.#entered) return
    this.#entered = true
    const { stdin, stdout } = this.#streams
    stdout.off('error', this.#onGone).on('error', this.#onGone)
    stdin.off('error', this.#onGone).on('error', this.#onGone)
    this.send(this.#mouse ? ENTER + MOUSE_ON : ENTER)
    stdin.setEncoding('utf8')
    stdin.setRawMode(true)
    stdin.on('data', this.#events.input)
    stdin.on('end', this.#onGone)
    stdin.ref()
    stdin.resume()
    stdout.on('resize', this.#events.resize)
  }

  /** Gives it back; does nothing the second time. Safe in an `exit` handler: writes to a terminal are synchronous. */
  leave(): void {
    if (!this.#entered) return
    this.#entered = false
    const { stdin, stdout } = this.#streams
    stdout.off('resize', this.#events.resize)
    stdin.off('data', this.#events.input)
    stdin.off('end', this.#onGone)
    stdin.pause()
    stdin.unref()
    if (!this.#gone) stdin.setRawMode(false)
    this.send(LEAVE)
  }

  /** Reports of clicks and the wheel; while they are on, the terminal selects text only with Shift. */
  set mouse(on: boolean) {
    if (this.#entered && on !== this.#mouse) this.send(on ? MOUSE_ON : MOUSE_OFF)
    this.#mouse = on
  }

  /** Into the clipboard, where the terminal allows it (OSC 52). */
  copy(text: string): void {
    this.send(`${ESC}]52;c;${Buffer.from(text).toString('base64')}${ESC}\\`)
  }

  send(text: string): void {
    if (!this.#gone) this.#streams.stdout.write(text)
  }

  readonly #onGone = (): void => {
    if (this.#gone) return
    this.#gone = true
    if (this.#entered) this.#events.gone()
  }
}
