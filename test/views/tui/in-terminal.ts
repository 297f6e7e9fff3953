// The fake app in a real terminal, for the tests that drive it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { bundle } from '../../support/bundle.js'
import { scratch } from '../../support/programs.js'
import { noTmux, TmuxTerminal } from '../../support/tmux.js'
import { waitUntil } from '../../support/wait-until.js'

export const skip = noTmux()
const SCRATCH = scratch()
let started = 0
const SIZE = { columns: 80, rows: 24 }
const app = skip ? '' : await bundle('test/views/tui/fake-app.ts')

export interface Running {
  readonly terminal: TmuxTerminal
  readonly pid: number
  /** Lets a slow or throwing app go on. */
  release(how: 'open' | 'fail'): void
  /** Asserts that the app has ended with `message` and the terminal is as before. */
  restored(message: string): Promise<void>
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** The app in a terminal of its own; `mode` as fake-app.ts takes it. */
export async function start(
  t: Test,
  mode: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const folder = join(SCRATCH, `${++started}`)
  mkdirSync(folder)
  const [before, after, gate, pidFile] = ['before', 'after', 'gate', 'pid'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string]
  const terminal = new TmuxTerminal(SIZE, env)
  t.teardown(() => terminal.close())
  await terminal.until(/ready>/)
  const run = `${process.execPath} ${app} ${mode} ${gate} ${pidFile}`
  terminal.type(
    `clear; stty -a > ${before}; echo text from before; ${run}; stty -a > ${after}; echo all done`,
  )
  const isStarted = () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== ''
  const ending = () => (/^all done/m.test(terminal.screen()) ? `it ended:\n${terminal.screen()}` : null)
  await waitUntil('the app starts', isStarted, ending)
  await waitUntil('the full screen is there', () => terminal.variable('alternate_on') === '1', ending)
  return {
    terminal,
    pid: Number(readFileSync(pidFile, 'utf8')),
    release: (how) => writeFileSync(gate, how),
    async restored(message) {
      const screen = await terminal.until(/^all done/m)
      t.match(screen, new RegExp(`text from before\\n${message}\\nall done`), 'the screen before is back')
      t.equal(terminal.variable('alternate_on'), '0')
      t.equal(terminal.variable('cursor_flag'), '1', 'the cursor is visible')
      t.equal(terminal.variable('wrap_flag'), '1', 'lines wrap')
      t.equal(readFileSync(after, 'utf8'), readFileSync(before, 'utf8'), 'stty is as before')
    },
  }
}
