// A real process full of escape sequences, wide and invalid characters: none of it acts on the terminal, no column moves.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import stringWidth from 'string-width'
import t, { type Test } from 'tap'
import { openSession } from '../../../src/session/open-session.js'
import { runTui } from '../../../src/views/tui/run-tui.js'
import type { Size } from '../../../src/views/tui/tui-state.js'
import { compile, gcore, ROOT, type Running, scratch, start } from '../../support/programs.js'
import { noTmux, TmuxTerminal } from '../../support/tmux.js'
import { waitUntil } from '../../support/wait-until.js'
import { FakeTerminal } from './fake-terminal.js'

const SIZES: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 60 },
]
/** What must not be seen raw: controls, bidi and other invisible characters, lone surrogates. */
const RAW = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })
const folder = scratch()

/** One string a column of the screen: a wide character is followed by an empty one. */
function columnsOf(row: string): string[] {
  return [...GRAPHEMES.segment(row)].flatMap(({ segment }) => [
    segment,
    ...Array(Math.max(0, stringWidth(segment) - 1)).fill(''),
  ])
}

/** From where to where on the screen `title` stands in the heading; a sort arrow is part of it. */
function columnIn(heading: string, title: string): { from: number; to: number } {
  const at = heading.indexOf(` ${title}`) + 1
  if (at === 0) throw new Error(`no ${title} in ${JSON.stringify(heading)}`)
  const arrow = /[▲▼]/.test(heading[at + title.length] ?? '') ? 1 : 0
  return { from: at, to: at + title.length + arrow }
}

/** The rows of the table under the heading with `titles`, for as long as they start with a number. */
function tableOf(screen: readonly string[], titles: RegExp): { heading: string; rows: string[] } {
  const at = screen.findIndex((row) => titles.test(row))
  if (at < 0) throw new Error(`no heading ${titles} in\n${screen.join('\n')}`)
  const below = screen.slice(at + 1)
  const end = below.findIndex((row) => !/^[▸ ] *(0x)?[0-9a-f]+ /.test(row))
  return { heading: screen[at]!, rows: below.slice(0, end) }
}

/** Every row has `what` from the left edge of the column `title` on, or up to its right edge. */
function aligned(
  t: Test,
  screen: readonly string[],
  titles: RegExp,
  title: string,
  edge: 'left' | 'right',
  what: RegExp,
): void {
  const { heading, rows } = tableOf(screen, titles)
  const { from, to } = columnIn(heading, title)
  t.ok(rows.length > 1, `there are rows under ${title}`)
  const wrong = rows.filter((row) => {
    const all = columnsOf(row)
    const text = edge === 'left' ? all.slice(from - 1).join('') : all.slice(0, to + 1).join('')
    return !what.test(text)
  })
  t.same(wrong, [], `the column ${title} is straight`)
}

/** All panes of the target on a terminal in memory. */
async function tour(
  t: Test,
  choice: Parameters<typeof openSession>[0],
  size: Size,
  names: readonly RegExp[],
): Promise<void> {
  const session = await openSession(choice, { useGdb: false })
  const terminal = new FakeTerminal(size.columns, size.rows)
  let ended = false
  const run = runTui(session, { ...terminal.streams, color: true }).finally(() => {
    ended = true
  })
  run.catch(() => undefined)
  /** The screen after `keys`, as soon as it shows `what`. */
  async function shown(keys: string, what: RegExp): Promise<readonly string[]> {
    terminal.type(keys)
    const shows = () => ended || what.test(terminal.screen.join('\n'))
    await waitUntil(`${what} is shown`, shows).catch((error: Error) => {
      throw new Error(`${error.message}:\n${terminal.screen.join('\n')}`)
    })
    terminal.check()
    const raw = terminal.screen.filter((row) => RAW.test(row))
    t.same(raw, [], `after ${JSON.stringify(keys)} nothing on the screen is invisible or acts on it`)
    return terminal.screen
  }
  try {
    await shown('', /\[1 Overview\]/)
    await shown('G', /\[1 Overview\]/)
    await shown('2', /\[2 Arenas\][\s\S]* main /)
    await shown(' ', /└1|known|main/)
    await shown('3', /\[3 (Heap map|Map)\]/)

    const chunks = await shown('4G', /\[4 Chunks\][\s\S]*\.\[2J\.\[1;1Howned/)
    t.match(chunks.join('\n'), /\.\]52;c;b3duZWQ=\./, 'the clipboard sequence is text')
    const heading = /^ chunk .* bytes .*user bytes/
    aligned(t, chunks, heading, 'bytes', 'right', / [\d,]+ $/)
    aligned(t, chunks, heading, 'state', 'left', /^ (live|free|tcache|fastbin|top) /)
    aligned(t, chunks, heading, 'user bytes', 'left', /^ [\x20-\x7e─]+$/)

    await shown(':find \u3042\u76ee\r', /\[5 Memory\][\s\S]*found|\[5 Memory\][\s\S]*\.{10}/)
    const memory = await shown(':find Howned\r', /\[5 Memory\][\s\S]*Howned|\[5 Memory\][\s\S]*\.\[2J/)
    const dump = memory.filter((row) => /^[0-9a-f]{12}[ [][0-9a-f]{2}/.test(row))
    t.ok(dump.length > 5)
    t.same([...new Set(dump.map((row) => /[ \]][\x20-\x7e]{16,32} [▸│ ]/.exec(row) !== null))], [true])
    await shown('w', /\[5 Memory\][\s\S]*0x[0-9a-f]{16}/)
    await shown('c', /\[5 Memory\]/)
    await shown('c', /\[5 Memory\]/)

    const threads = await shown('6', /\[6 Threads\][\s\S]* thread/)
    for (const name of names) t.match(threads.join('\n'), name, 'the name is shown, escaped')
    const rowsOf = /^ +thread.* name .* arena/
    if (names.length > 1) {
      aligned(t, threads, rowsOf, 'arena', 'right', / (main|\d+|-) $/)
      aligned(t, threads, rowsOf, 'tcache▼', 'right', /( [\d.]+ \S+|-) $/)
    }
    for (const key of ['s', 's', 's', 's', 'G']) await shown(key, /\[6 Threads\]/)
    await shown('7', /\[7 Findings\]/)
    await shown('\r', /\[\d \S+/)
    await shown('8', /\[8 Regions\]/)
    const all = await shown('G', /\[8 Regions\]/)
    const permissions = /^ [r-][w-][x-][ps]?/
    aligned(t, all, /^ +start.* perm /, 'perm', 'left', permissions)
    const regions = await shown('/.bin\r', /\[8 Regions\][\s\S]* 1\/1/)
    const [row] = tableOf([...regions, ''], /^ +start.* perm /).rows
    t.match(
      columnsOf(row!)
        .slice(columnIn(regions.find((each) => / perm /.test(each))!, 'perm').from - 1)
        .join(''),
      permissions,
    )
    if (size.columns >= 200)
      t.match(
        regions.join('\n'),
        /a\\x1b\[31m\\u202e目(\ufffd|\\xff|\\\d+)\\x07\.bin/,
        'the path is shown, escaped',
      )
    await shown('y', /copied/)
    await shown('Y', /copied/)
    t.equal(terminal.copied.length, 2)
    t.notOk(
      RAW.test(terminal.copied.join('').replaceAll('\t', '')),
      'nor does what is copied act on a terminal',
    )
    await shown(':nowhere\u202e\x9b2J\u3042\r', /error/)
    await shown('?', /Everywhere/)
    await shown('x', /\[8 Regions\]/)
    t.same(terminal.wrong, [], 'only its own sequences, no row too wide')
  } finally {
    // Ctrl-C closes what is open first.
    await waitUntil('the run ends', () => {
      if (!ended) terminal.type('\x1b\x03')
      return ended
    })
    session.close()
  }
  t.match(await run, /quit|SIGINT/)
}

/** The process, from a program whose own file has a hostile name. */
async function hostileProcess(): Promise<Running> {
  const program = join(folder, 'p\x1b[2J\u202e目\x07')
  copyFileSync(compile('test/programs/hostile-text.c'), program)
  return start(program, [folder], { cwd: folder })
}

const running = await hostileProcess()
t.teardown(() => running.kill())
const core = join(folder, 'core\x1b]0;x\x07\u202e目')
renameSync(gcore(running.pid, join(folder, 'core')), core)

const MAIN_NAME = /\\x1b\]52;c;b3du/
/** gcore writes the name of the program's file. */
const CORE_NAME = /p\\x1b\[2J\\u202e/
const NAMES = [MAIN_NAME, /a\\x1b\[2Jb\\u202/, /目あ\\x1b\]0/]
for (const size of SIZES) {
  const where = `${size.columns}x${size.rows}`
  t.test(`a live process at ${where}`, (t) => tour(t, { kind: 'live', pid: running.pid }, size, NAMES))
  t.test(`a core at ${where}`, (t) => tour(t, { kind: 'core', path: core }, size, [CORE_NAME]))
}

t.test('the bytes that the program sends to a real terminal', { skip: noTmux() }, async (t) => {
  for (const [name, target] of [
    ['live', `--pid ${running.pid}`],
    ['core', '"$CORE"'],
  ] as const) {
    const place = join(folder, name)
    mkdirSync(place)
    const [script, raw] = [join(place, 'go.sh'), join(place, 'raw')]
    const command = `${process.execPath} ${join(ROOT, 'dist/cli.js')} ${target}`
    writeFileSync(script, `stty -echo\necho be''gun\n${command}\necho "co""de=$?"\n`)
    const terminal = new TmuxTerminal(SIZES[0]!, { CORE: core })
    t.teardown(() => terminal.close())
    await terminal.until(/ready>/)
    terminal.record(raw)
    terminal.type(`sh ${script}`)
    await terminal.until(/\[1 Overview\][\s\S]*q quit/)
    await terminal.until((screen) => !/numbers are still missing/.test(screen))
    for (const [keys, what] of [
      [['G'], /\[1 Overview\]/],
      [['2', 'Space'], /\[2 Arenas\][\s\S]* main /],
      [['3', 'j', '+'], /\[3 (Heap map|Map)\]/],
      [['4', 'G'], /\[4 Chunks\][\s\S]*\.\[2J\.\[1;1Howned/],
      [['Enter'], /\[5 Memory\]/],
      [['w'], /\[5 Memory\][\s\S]*0x[0-9a-f]{16}/],
      [['c'], /\[5 Memory\]/],
      [['6'], /\[6 Threads\][\s\S]*(\\x1b\]52;c;b3du|p\\x1b\[2J\\u202e)/],
      [['j', 'j', 's', 's'], /\[6 Threads\]/],
      [['7', 'Enter'], /\[\d \S+/],
      [['8', 'G'], /\[8 Regions\]/],
      [['/', '.', 'b', 'i', 'n', 'Enter'], /\[8 Regions\][\s\S]* 1\/1/],
      [['?'], /Everywhere/],
      [['x'], /\[8 Regions\][\s\S]* 1\/1/],
    ] as const) {
      terminal.press(...keys)
      await terminal.until(what)
    }
    terminal.press('q')
    await terminal.until(/^code=0$/m)
    await waitUntil('all is recorded', () => existsSync(raw) && readFileSync(raw).includes('code=0'))
    checkStream(t, readFileSync(raw), name)
  }
})

/** Nothing in the stream but text and what the TUI itself has a reason to send. */
function checkStream(t: Test, bytes: Buffer, name: string): void {
  const all = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const stream = all.slice(all.indexOf('begun'), all.indexOf('code=0'))
  const [from, to] = [stream.indexOf('\x1b[?1049h'), stream.lastIndexOf('\x1b[?1049l')]
  t.ok(from > 0 && to > from, `${name}: the alternate screen is entered and left`)
  t.equal(stream.split('\x1b[?1049').length, 3, 'once')
  const outside = stream.slice(0, from) + stream.slice(to + '\x1b[?1049l'.length)
  t.notOk(/[^\x20-\x7e\r\n]/.test(outside), 'what is said outside of it is plain')
  const inside = stream.slice(from, to)
  t.ok(inside.length > 10_000, 'the screens are in it')
  t.match(inside, /\\x1b/, 'and the hostile text, escaped')
  t.notOk(inside.includes('\x1b]'), 'no OSC: neither a title nor the clipboard')
  t.notOk(
    inside
      .split('\x1b[2J')
      .slice(0, -1)
      .some((before) => !before.endsWith('\x1b[0m')),
    'no clearing but its own',
  )
  t.notOk(inside.includes('\x1b[1;1Howned') || inside.includes('\x1bP'), 'no payload')
  const judge = new FakeTerminal(SIZES[0]!.columns, SIZES[0]!.rows)
  judge.write(inside)
  judge.check()
  t.same(judge.wrong, [], 'only its own sequences')
}
