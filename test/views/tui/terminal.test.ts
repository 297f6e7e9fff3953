// The TUI in a real terminal: it opens, answers keys, survives resizes, and leaves the terminal as it was.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bundle } from '../../support/bundle.js'
import { scratch } from '../../support/programs.js'
import { noTmux, TmuxTerminal } from '../../support/tmux.js'

const skip = noTmux()
const SCRATCH = scratch()
let started = 0
const SIZE = { columns: 80, rows: 24 }
const app = skip ? '' : await bundle('test/views/tui/fake-app.ts')

interface Running {
  readonly terminal: TmuxTerminal
  readonly pid: number
  /** Lets a slow or throwing app go on. */
  release(how: 'open' | 'fail'): void
  /** Asserts that the app has ended with `message` and the terminal is as before. */
  restored(message: string): Promise<void>
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

async function start(t: Test, mode: string, env: Readonly<Record<string, string>> = {}): Promise<Running> {
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
  await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '', 'the app starts')
  await until(() => terminal.variable('alternate_on') === '1', 'the full screen')
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

t.test('a tour', { skip }, async (t) => {
  const { terminal, restored } = await start(t, 'open')
  const overview = await terminal.until(/Where the resident memory is/)
  t.match(overview, /^ CRITICAL {2}64 arenas hold/m)
  t.match(overview, /memsqld · core\.6 · pid 6/)
  t.equal(terminal.variable('cursor_flag'), '0', 'no cursor on the full screen')
  terminal.press('Tab')
  await terminal.until(/\[2 Arenas\]/)
  terminal.paste('jjj')
  await terminal.until(/ 4\/64$/m)
  terminal.press('Down', 'PageDown', 'Up')
  await terminal.until(/ 22\/64$/m)
  terminal.press('G')
  await terminal.until(/64\/64$/m)
  terminal.press('g', 'Enter')
  await terminal.until(/^7f9088000000\[.*▸arena 61/m)
  terminal.press('w')
  await terminal.until(/^7f9088000000\[0x00007fb2401d2cc0\].*<main_arena\+96>/m)
  terminal.press('Enter')
  await terminal.until(/^7fb2401d2cc0\[/m)
  terminal.press('Escape')
  await terminal.until(/^7f9088000000\[/m)
  terminal.press('Escape')
  await terminal.until(/\[2 Arenas\]/)
  terminal.paste(':arena 3')
  await terminal.until(/^ go to: arena 3_/m)
  terminal.press('Enter')
  await terminal.until(/^7f8fa0000000\[/m)
  terminal.paste(':nowhere')
  terminal.press('Enter')
  await terminal.until(/^ error: "nowhere" is not an address/m)
  terminal.press('?')
  await terminal.until(/Everywhere/)
  terminal.press('x')
  await terminal.until((screen) => !screen.includes('Everywhere'))
  terminal.press('q')
  await restored('ended by quit')
})

t.test('resizes', { skip }, async (t) => {
  const { terminal, restored } = await start(t, 'open')
  await terminal.until(/Where the resident memory is/)
  terminal.press('3')
  const before = await terminal.until(/\[3 Memory\][\s\S]*q quit/)
  terminal.resize(40, 10)
  await terminal.until(
    (screen) =>
      /^55d0c1a00000\[00000000 00000000\]\.{8}$/m.test(screen) &&
      /^ q quit/m.test(screen) &&
      screen.trimEnd().split('\n').length === 10,
  )
  terminal.resize(20, 4)
  await terminal.until(/^enlarge the terminal/)
  terminal.resize(200, 50)
  await terminal.until(/▸used 32 arena 0[\s\S]*q quit/)
  terminal.resize(80, 24)
  await terminal.until((screen) => screen === before)
  terminal.press('q')
  await restored('ended by quit')
})

t.test('every way out', { skip }, async (t) => {
  const key = await start(t, 'open')
  await key.terminal.until(/Where the resident memory is/)
  key.terminal.press('C-c')
  await key.restored('ended by SIGINT')

  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
    const killed = await start(t, 'open')
    await killed.terminal.until(/Where the resident memory is/)
    process.kill(killed.pid, signal)
    await killed.restored(`ended by ${signal}`)
  }

  const broken = await start(t, 'throw')
  await broken.terminal.until(/Where the resident memory is/)
  broken.release('fail')
  await broken.restored('failed: it could not be opened')

  const closed = await start(t, 'open')
  await closed.terminal.until(/Where the resident memory is/)
  closed.terminal.close()
  await until(() => !isAlive(closed.pid), 'the app ends when its terminal is closed')
})

t.test('while the target opens', { skip }, async (t) => {
  const slow = await start(t, 'slow')
  const screen = await slow.terminal.until(/reading core\.6/)
  t.match(screen, /reading core\.6\\x1b\[2J/)
  t.match(screen, /█ +25 %/)
  t.match(screen, /64 arenas hold 12\.0 GiB/, 'what the headers say comes before any chunk is read')
  slow.terminal.press('j')
  slow.release('open')
  await slow.terminal.until(/Where the resident memory is/)
  slow.terminal.press('q')
  await slow.restored('ended by quit')

  const failing = await start(t, 'slow')
  await failing.terminal.until(/reading core\.6/)
  failing.release('fail')
  await failing.restored('failed: it could not be opened')

  const impatient = await start(t, 'slow')
  await impatient.terminal.until(/reading core\.6/)
  impatient.terminal.press('q')
  await impatient.restored('ended by quit')
})

t.test('a live target refreshes', { skip }, async (t) => {
  const { terminal, restored } = await start(t, 'live')
  await terminal.until(/live · r/)
  terminal.press('r')
  await terminal.until(/^ refreshed/m)
  terminal.press('G')
  await terminal.until(/looked at the target again/)
  terminal.press('q')
  await restored('ended by quit')
})

t.test('in an environment that upsets others', { skip }, async (t) => {
  const { terminal, restored } = await start(t, 'open', { CI: '1', DEV: 'true', NO_COLOR: '1' })
  await terminal.until(/Where the resident memory is/)
  t.notOk(terminal.screen(true).includes('\x1b['), 'no colour at all')
  terminal.press('q')
  await restored('ended by quit')

  const coloured = await start(t, 'open')
  await coloured.terminal.until(/Where the resident memory is/)
  t.ok(coloured.terminal.screen(true).includes('\x1b['), 'colour otherwise')
  coloured.terminal.press('C-z')
  await until(
    () => coloured.terminal.variable('alternate_on') === '0',
    'Ctrl-Z gives the terminal to the shell',
  )
  coloured.terminal.type('fg')
  await coloured.terminal.until(/Where the resident memory is/)
  coloured.terminal.press('3')
  await coloured.terminal.until(/\[3 Memory\]/)
  coloured.terminal.press('q')
  await until(() => coloured.terminal.variable('alternate_on') === '0', 'it ends')
  await coloured.terminal.until(/ended by quit/)
})
