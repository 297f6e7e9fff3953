// The built program in a terminal, for tests that walk through its panes.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ROOT } from './programs.js'
import { TmuxTerminal } from './tmux.js'
import { waitUntil } from './wait-until.js'

const CLI = join(ROOT, 'dist/cli.js')
/** What the program says when it does not do what it was asked for. */
const REFUSAL = /^ error: .*|nothing was done, or not all of it|could not be listed: .*/m

type Wanted = RegExp | ((screen: string) => boolean)

/** One terminal in `folder` and the program in it. */
export class TuiTour extends TmuxTerminal {
  /** The refusal that was on the screen when the last key was sent: no answer to it. */
  #refusedBefore: string | undefined

  /** Without what the test runner puts into NODE_OPTIONS; closed when the test ends. */
  constructor(t: Test, size: { columns: number; rows: number }, folder: string) {
    super(size, { NODE_OPTIONS: '' })
    t.teardown(() => this.close())
    this.type(`cd ${folder}; stty -a > before`)
    this.clipboard()
  }

  /** Starts the program on an empty screen; its exit code is shown as `code=N`. */
  open(args: string): void {
    this.type(`clear; ${process.execPath} ${CLI} ${args}; echo "code=$?"`)
  }

  override press(...keys: string[]): void {
    this.#refusedBefore = refusalOn(this.screen())
    super.press(...keys)
  }

  override paste(text: string): void {
    this.#refusedBefore = refusalOn(this.screen())
    super.paste(text)
  }

  /** As the terminal's own; throws, too, when the program refuses what it was asked for. */
  override async until(wanted: Wanted): Promise<string> {
    let isWanted = false
    const screen = await super.until((now) => {
      isWanted = wanted instanceof RegExp ? wanted.test(now) : wanted(now)
      const refused = refusalOn(now)
      return isWanted || (refused !== undefined && refused !== this.#refusedBefore)
    })
    if (!isWanted) throw new Error(`refused, where this was waited for: ${wanted}\n${screen}`)
    return screen
  }

  /** Presses a key and waits for what it shows. */
  async go(key: string, shows: Wanted): Promise<string> {
    this.press(key)
    return this.until(shows)
  }

  /** The screen once answers that come late, such as symbols, have come: the same for a while. */
  async still(): Promise<string> {
    let before = ''
    let since = 0
    return this.until((screen) => {
      if (screen !== before) since = Date.now()
      before = screen
      return Date.now() - since > 300
    })
  }

  /** Types at a prompt that `opener` opens, and waits for what is shown once Enter has closed it. */
  async enter(opener: string, text: string, shows: Wanted): Promise<string> {
    const prompt = opener === ':' ? /^ :/m : /^ (find|show only): /m
    this.paste(opener)
    await this.until(prompt)
    this.press('C-u')
    this.paste(text)
    // What was shown before the prompt opened is no answer.
    const answered = (screen: string) => (shows instanceof RegExp ? shows.test(screen) : shows(screen))
    return this.go('Enter', (screen) => !prompt.test(screen) && answered(screen))
  }

  /** An SGR report of a click (button 0) or of the wheel (64 up, 65 down) at a column and row from 1. */
  mouse(button: number, column: number, row: number): void {
    this.paste(`\x1b[<${button};${column};${row}M`)
  }

  /** The process id of the running program. */
  async pid(): Promise<number> {
    let found = 0
    await waitUntil('the program runs', () => {
      found = programBelow(Number(this.variable('pane_pid')))
      return found !== 0
    })
    return found
  }

  /** Asserts that the program ended with `code` and left no trace. */
  async ended(t: Test, code: number): Promise<void> {
    const screen = await this.until(/code=\d+$/m)
    t.match(screen, new RegExp(`code=${code}$`, 'm'), `exit code ${code}`)
    t.equal(this.variable('alternate_on'), '0')
    t.equal(this.variable('cursor_flag'), '1', 'the cursor is visible')
    t.equal(this.variable('mouse_any_flag'), '0', 'the mouse is the terminal’s own')
    this.type('clear; stty -a > after; cmp before after && echo same-settings')
    await this.until(/^same-settings$/m)
  }
}

function refusalOn(screen: string): string | undefined {
  return REFUSAL.exec(screen)?.[0]
}

function programBelow(ancestor: number): number {
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))![1])
      if (parent === ancestor && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(CLI))
        return Number(name)
    } catch {
      // It ended meanwhile.
    }
  }
  return 0
}

/** The words of the row under the cursor; empty when no row has it. */
export function rowUnderCursor(screen: string): string[] {
  return (/^▸(.*)$/m.exec(screen)?.[1] ?? '').trim().split(/\s+/)
}

/** The address that the line below the dump speaks of. */
export function cursorAddress(screen: string): string {
  return /^ at +(0x[0-9a-f]+)/m.exec(screen)?.[1] ?? ''
}
