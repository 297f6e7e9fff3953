// A real terminal for tests: a tmux server of its own with one shell, read as text.
import { execFileSync, spawnSync } from 'node:child_process'
import { DEADLINE_MS } from './wait-until.js'

/** How long the prompt stands until that is the answer: what ran in the terminal has ended. */
const PROMPT_MS = 5_000

let servers = 0

/** Why terminal tests cannot run here, or false. */
export function noTmux(): string | false {
  return spawnSync('tmux', ['-V']).status === 0 ? false : 'tmux is not installed'
}

/** One terminal with a shell whose prompt is `ready>`. */
export class TmuxTerminal {
  readonly #socket = `arena-inspect-test-${process.pid}-${++servers}`

  constructor(size: { columns: number; rows: number }, env: Readonly<Record<string, string>> = {}) {
    const shell = [
      'env',
      '-u',
      'CI',
      '-u',
      'NO_COLOR',
      'PS1=ready> ',
      ...Object.entries(env).map((e) => e.join('=')),
      'sh',
      '-i',
    ]
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      `${size.columns}`,
      '-y',
      `${size.rows}`,
      shell.map(quoted).join(' '),
    )
  }

  /** A command line, Enter included. */
  type(line: string): void {
    this.#tmux('send-keys', '-l', '--', line)
    this.#tmux('send-keys', 'Enter')
  }

  /** Keys by tmux's names, e.g. `j`, `Escape`, `C-c`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  /** Characters in one write, as fast typing arrives. */
  paste(text: string): void {
    this.#tmux('send-keys', '-l', '--', text)
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`)
  }

  /** What is on the screen; with SGR sequences when `styled`. */
  screen(styled = false): string {
    return this.#tmux('capture-pane', '-p', ...(styled ? ['-e'] : []))
  }

  /** From now on, every byte that reaches the terminal goes into `file`, too. */
  record(file: string): void {
    this.#tmux('pipe-pane', '-o', `cat > ${quoted(file)}`)
  }

  /** A tmux variable of the terminal, e.g. `cursor_flag`, `alternate_on`. */
  variable(name: string): string {
    return this.#tmux('display-message', '-p', `#{${name}}`).trim()
  }

  /**
   * The screen as soon as it matches, and is no half frame. Throws with the last screen when the shell waits for a
   * command instead, or when it never matches.
   */
  async until(wanted: RegExp | ((screen: string) => boolean)): Promise<string> {
    const matches = wanted instanceof RegExp ? (screen: string) => wanted.test(screen) : wanted
    const end = Date.now() + DEADLINE_MS
    let before = ''
    let lastBusy = Date.now()
    for (;;) {
      const screen = this.screen()
      // A terminal takes a frame in pieces: two looks agree when there is no more of it.
      if (screen === before && matches(screen)) return screen
      before = screen
      if (!/^ready>$/.test(screen.trimEnd().split('\n').at(-1)!)) lastBusy = Date.now()
      if (Date.now() > Math.min(end, lastBusy + PROMPT_MS))
        throw new Error(`the screen never showed ${wanted}:\n${screen}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  /** What the program put into the clipboard (OSC 52) after this was called the first time. */
  clipboard(): string {
    this.#tmux('set-option', '-g', 'set-clipboard', 'on')
    const buffers = this.#tmux('list-buffers')
    return buffers === '' ? '' : this.#tmux('show-buffer')
  }

  close(): void {
    spawnSync('tmux', ['-L', this.#socket, 'kill-server'])
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...args], { encoding: 'utf8' })
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
