// A tour of the whole program over a core in a real terminal: every pane, every path, and out again.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, scratch, start } from '../support/programs.js'
import { randomFrom } from '../support/random.js'
import { bloatCore } from '../support/small-core.js'
import { noTmux } from '../support/tmux.js'
import { cursorAddress, rowUnderCursor, TuiTour } from '../support/tui-tour.js'
import { waitUntil } from '../support/wait-until.js'
import { nextInput } from '../views/tui/monkey.js'

const skip = noTmux()
const SIZE = { columns: 120, rows: 30 }
const folder = scratch()

const core = skip ? '' : await bloatCore(folder)
const report = skip ? null : (JSON.parse((await arenaInspect(['report', core, '--json'])).stdout) as Report)
t.teardown(() => core && rmSync(core))

/** A tour that has the heaps read and shows the Overview. */
async function opened(t: Test, args = core): Promise<TuiTour> {
  const tour = new TuiTour(t, SIZE, folder)
  tour.open(args)
  await tour.until(
    (screen) => /\[1 Overview\][\s\S]*12 arenas hold/.test(screen) && !/still missing/.test(screen),
  )
  return tour
}

t.test('from a finding to a byte and back', { skip }, async (t) => {
  const tour = await opened(t)
  await tour.go('7', /\[7 Findings\][\s\S]*^▸WARNING/m)
  const list = await tour.still()
  await tour.go('Enter', /^ finding 1\/\d+ · arena-bloat/m)
  const detail = await tour.still()
  t.match(detail, /^ The rule arena-bloat$/m)
  await tour.go('Enter', /\[2 Arenas\]/)
  const arenas = await tour.still()
  const most = [...report!.heap!.arenas].sort((a, b) => b.freeBytes! - a.freeBytes!)[0]!
  t.equal(rowUnderCursor(arenas)[1], most.address, 'the arena that keeps most is under the cursor')
  await tour.go('Enter', /\[3 Heap map\][\s\S]*live \d/)
  const map = await tour.still()
  const heap = most.heaps[0]!.address
  t.match(map, new RegExp(` heap 1/1 ${heap} `))
  await tour.go('Enter', /\[4 Chunks\][\s\S]*^▸0x/m)
  const chunks = await tour.still()
  t.ok(BigInt(rowUnderCursor(chunks)[0]!) >= BigInt(heap), 'a chunk of that heap')
  const at = rowUnderCursor(chunks)[0]!
  t.equal(cursorAddress(await tour.go('Enter', /\[5 Memory\]/)), at)
  let words = await tour.go('w', /\[0x[0-9a-f]{16}\]/)
  const below = words
    .split('\n')
    .slice(2)
    .findIndex((line) => / → arena /.test(line))
  t.ok(below > 0, 'pointers are told')
  for (let row = 0; row < below; row++) tour.press('j')
  words = await tour.until(/\[0x[0-9a-f]{16}\].* → arena /)
  const pointer = /\[0x0*([0-9a-f]+)\]/.exec(words)![1]!
  const from = cursorAddress(words)
  const target = await tour.go('Enter', new RegExp(`^ at +0x${pointer.slice(0, -1)}[08] `, 'm'))
  t.match(target, new RegExp(`^${pointer.slice(0, -1)}[08]\\[`, 'm'), 'what it points to comes first')

  t.equal(cursorAddress(await tour.go('Escape', new RegExp(`^ at +${from} `, 'm'))), from)
  t.equal(await tour.go('Escape', (screen) => screen === chunks), chunks)
  await tour.go('Escape', (screen) => screen === map)
  await tour.go('Escape', (screen) => screen === arenas)
  await tour.go('Escape', (screen) => screen === detail)
  await tour.go('Escape', (screen) => screen === list)
  await tour.go('Escape', /nothing to go back to/)
  tour.press('q')
  await tour.ended(t, 0)
})

t.test('chunks', { skip }, async (t) => {
  const tour = await opened(t)
  await tour.go('4', /\[4 Chunks\][\s\S]*^▸0x/m)
  const shown = await tour.enter(
    '/',
    'free min 1K',
    /^ free min 1024 · by address · [\d,]+ chunks, [^…\n]+$/m,
  )
  const rows = (screen: string) =>
    [...screen.matchAll(/^[ ▸](0x[0-9a-f]+) +([\d,]+) (\S+)/gm)].map(([, at, size, state]) => ({
      at: BigInt(at!),
      size: Number(size!.replaceAll(',', '')),
      state: state!,
    }))
  t.ok(rows(shown).length > 10)
  t.ok(rows(shown).every(({ size, state }) => size >= 1024 && /^(fastbin|unsorted|binned)$/.test(state)))
  const count = /([\d,]+) chunks/.exec(shown)![1]
  const sorted = await tour.go('s', /by size, largest first · [\d,]+ chunks, [^…\n]+$/m)
  t.equal(/([\d,]+) chunks/.exec(sorted)![1], count, 'the same chunks')
  const sizes = rows(sorted).map(({ size }) => size)
  t.same(
    sizes,
    [...sizes].sort((a, b) => b - a),
  )
  const free = Math.max(...report!.heap!.arenas.map(({ largestFreeBytes }) => largestFreeBytes ?? 0))
  t.ok(free > 0)
  t.equal(sizes[0], free, 'the largest comes first')
  const second = await tour.go('j', / 2\/[\d,]+$/m)
  t.equal(BigInt(rowUnderCursor(second)[0]!), rows(sorted)[1]!.at)
  await tour.go('G', new RegExp(` ${count}/${count}$`, 'm'))
  await tour.enter('/', 'free min much', /error: min takes a size/)
  tour.press('q')
  await tour.ended(t, 0)
})

t.test('memory: views and searches', { skip }, async (t) => {
  const tour = await opened(t)
  const text = 'log:16:4096'
  const { stdout } = await arenaInspect(['find', core, text])
  const places = stdout.split('\n').flatMap((line) => /^(0x[0-9a-f]+) /.exec(line)?.[1] ?? [])
  t.ok(places.length >= 2, 'the program holds it twice')
  // The word that holds the first byte.
  const words = places.map((place) => `0x${(BigInt(place) & ~7n).toString(16)}`)

  await tour.go('5', /\[5 Memory\][\s\S]*^ at /m)
  await tour.go('x', /^[0-9a-f]+\[([0-9a-f]{2} ){7}[0-9a-f]{2}\]/m)
  await tour.go('w', /\[0x[0-9a-f]{16}\]/)
  await tour.go('g', /^ at +0x/m)
  const at = (place: string) => new RegExp(`^ at +${place} `, 'm')
  await tour.enter('/', text, at(words[0]!))
  await tour.go('n', at(words[1]!))
  await tour.go('N', at(words[0]!))
  await tour.enter(':', `find ${text}`, at(words[1]!))
  await tour.enter('/', 'zz-not-there-zz', /zz-not-there-zz is nowhere in the memory that can be read here/)
  t.match(tour.screen(), at(words[1]!), 'the cursor stays')
  const chunk = report!.heap!.arenas[3]!.heaps[0]!
  await tour.enter(':', `chunk ${report!.heap!.arenas[3]!.address}`, / is in no chunk|\[4 Chunks\]/)
  await tour.enter(':', 'memory', /\[5 Memory\]/)
  await tour.enter(':', chunk.address, at(chunk.address))
  await tour.go('c', /^ chunk +state +bytes PMA/m)
  t.equal(BigInt(rowUnderCursor(tour.screen())[0] || '0') >> 26n, BigInt(chunk.address) >> 26n)
  tour.press('q')
  await tour.ended(t, 0)
})

t.test('a long search, given up', { skip }, async (t) => {
  const running = await start(compile('test/programs/same-text.c'), [], { cwd: folder })
  t.teardown(() => running.kill())
  const tour = new TuiTour(t, SIZE, folder)
  tour.open(`--pid ${running.pid}`)
  await tour.until(/\[1 Overview\]/)
  const before = cursorAddress(await tour.go('5', /\[5 Memory\][\s\S]*^ at /m))
  await tour.enter('/', 'zz-not', /looking for zz-not .*\d %/)
  await tour.go('2', /\[2 Arenas\]/)
  await tour.go('5', /\[5 Memory\]/)
  const after = await tour.go('Escape', /no longer looking/)
  t.notMatch(after, /nowhere/)
  t.equal(cursorAddress(after), before)
  tour.press('q')
  await tour.ended(t, 0)
})

t.test('commands', { skip }, async (t) => {
  const tour = await opened(t)
  const arenas = report!.heap!.arenas
  const [third, heap] = [arenas[3]!, arenas[3]!.heaps[0]!.address]
  tour.paste(':exp')
  await tour.until(/^ :exp/m)
  await tour.go('Tab', /^ :export _?/m)
  await tour.go('Tab', /text {2}|export text/)
  tour.paste('m')
  await tour.go('Tab', /^ :export markdown /m)
  tour.paste('tour.md')
  await tour.go('Enter', /wrote tour\.md, /)
  const { stdout } = await arenaInspect(['report', core, '--format', 'markdown'])
  t.equal(
    readFileSync(join(folder, 'tour.md'), 'utf8').trimEnd(),
    stdout.trimEnd(),
    'as report --format writes it',
  )
  tour.paste(':')
  await tour.until(/^ :/m)
  await tour.go('Up', /^ :export markdown tour\.md/m)
  await tour.go('Enter', /error: tour\.md exists already: choose another name/)
  await tour.enter(':', 'export html tour.html', /wrote tour\.html, /)
  const html = readFileSync(join(folder, 'tour.html'), 'utf8')
  t.match(html, /^<!doctype html>/i)
  t.ok(html.includes(third.address), 'the arenas are in it')
  await tour.enter(':', 'export html tour.html', /error: tour\.html exists already/)

  const at = (place: string) => new RegExp(`^ at +${place} `, 'm')
  await tour.enter(':', third.address, at(third.address))
  const words = await tour.enter(
    ':',
    `x/40a ${heap}`,
    new RegExp(`^${heap.slice(2)}\\[0x[0-9a-f]{16}\\]`, 'm'),
  )
  t.equal(cursorAddress(words), heap)
  await tour.enter(':', '0x41414141', /error: 0x41414141 is not mapped/)

  await tour.go('2', /\[2 Arenas\]/)
  await tour.enter('/', arenas[5]!.address, /1\/1$/m)
  const before = tour.screen()
  const found = await tour.enter(':', 'arena 3', / \d+\/12$/m)
  t.equal(rowUnderCursor(found)[1], third.address, 'a filter does not hide it')
  await tour.go('Escape', (screen) => screen === before)
  await tour.enter('/', '', / \d+\/12$/m)
  const inside = `0x${(BigInt(third.address) + 0x8e0n).toString(16)}`
  const chunk = await tour.enter(':', `chunk ${inside}`, /\[4 Chunks\][\s\S]*^ arena 3 [\s\S]*^▸0x/m)
  const [start, size] = rowUnderCursor(chunk)
  t.ok(
    BigInt(start!) <= BigInt(inside) && BigInt(inside) < BigInt(start!) + BigInt(size!.replaceAll(',', '')),
  )

  await tour.go('y', new RegExp(`copied ${start}`))
  await waitUntil('the clipboard has it', () => tour.clipboard().trim() === start)
  t.equal(tour.clipboard(), start)
  tour.press('q')
  await tour.ended(t, 0)
})

t.test('mouse, help, sizes', { skip }, async (t) => {
  const tour = await opened(t)
  const tabs = tour.screen().split('\n')[1]!
  tour.mouse(0, tabs.indexOf('2 Arenas') + 1, 2)
  const arenas = await tour.until(/\[2 Arenas\][\s\S]*^▸/m)
  const lines = arenas.split('\n')
  const row = lines.findIndex((line) => line.startsWith('▸')) + 4
  tour.mouse(0, 10, row + 1)
  const clicked = await tour.until((screen) => screen.split('\n')[row]!.startsWith('▸'))
  t.equal(rowUnderCursor(clicked)[1], /0x[0-9a-f]+/.exec(lines[row]!)![0])
  tour.mouse(65, 10, 10)
  await tour.until((screen) => screen.split('\n')[row + 3]!.startsWith('▸'))
  tour.mouse(64, 10, 10)
  await tour.until((screen) => screen === clicked)
  tour.mouse(0, 10, row + 1)
  await tour.until(/\[3 Heap map\]/)
  await tour.go('Escape', (screen) => screen === clicked)

  t.match(await tour.go('?', /this help/), /copy the address, the row/)
  await tour.go('?', (screen) => screen === clicked)

  for (const [key, pane] of [...'12345678'].map((key) => [key, `[${key} `] as const)) {
    await tour.go(key, (screen) => screen.includes(pane) && !/listing …|reading …/.test(screen))
    // Stacks come from gdb.
    if (key === '6') await tour.until(/ < main/)
    const before = await tour.still()
    tour.resize(40, 10)
    await tour.until(
      (screen) =>
        screen.trimEnd().split('\n').length <= 10 && / q quit/.test(screen) && screen.includes(`[${key} `),
    )
    tour.resize(SIZE.columns, SIZE.rows)
    await tour.until((screen) => screen === before)
    t.pass(`${pane.slice(1)}the same after 40×10`)
  }
  tour.press('q')
  await tour.until(/code=0/)
})

t.test('Ctrl-Z, SIGTERM', { skip }, async (t) => {
  const tour = await opened(t)
  const before = await tour.go('2', /\[2 Arenas\][\s\S]*^▸/m)
  tour.press('C-z')
  await waitUntil('the shell is back', () => tour.variable('alternate_on') === '0')
  tour.type('clear; stty -a > after; cmp before after && echo same-settings')
  await tour.until(/^same-settings$/m)
  tour.type('clear; fg; echo "code=$?"')
  await tour.until((screen) => screen === before)
  await tour.go('j', (screen) => screen !== before && /^▸/m.test(screen))
  process.kill(await tour.pid(), 'SIGTERM')
  await tour.ended(t, 143)
})

t.test('a gdb that never answers; no terminal', { skip }, async (t) => {
  const gdb = join(folder, 'slow-gdb')
  writeFileSync(gdb, `#!/bin/sh\necho $$ >> ${folder}/gdb-pids\nexec sleep 1000000\n`, { mode: 0o755 })
  const tour = new TuiTour(t, SIZE, folder)
  tour.open(`${core} --gdb ${gdb}`)
  await tour.until(/\[1 Overview\]/)
  await tour.go('6', /\[6 Threads\]/)
  await waitUntil('gdb is started', () => existsSync(join(folder, 'gdb-pids')))
  for (const key of '25678') await tour.go(key, new RegExp(`\\[${key} `))
  await tour.go('?', /this help/)
  await tour.go('?', /\[8 Regions\]/)
  tour.press('q')
  await tour.ended(t, 0)
  const pids = readFileSync(join(folder, 'gdb-pids'), 'utf8').trim().split('\n')
  await waitUntil('gdb is gone', () => pids.every((pid) => !existsSync(`/proc/${pid}`)))

  tour.open(`${core} | cat | head -n 4`)
  const text = await tour.until(/^code=0$/m)
  t.match(text, /WARNING +12 arenas hold/)
  t.equal(tour.variable('alternate_on'), '0')
})

t.test('a monkey', { skip }, async (t) => {
  const tour = await opened(t)
  const random = randomFrom(20_261_128)
  const KEYS = 3_000
  const BURST = 20
  for (let typed = 0; typed < KEYS; typed += BURST) {
    const keys = Array.from({ length: BURST }, () => nextInput(random, 'qy', SIZE.columns, SIZE.rows))
    // What no argument of a command can hold.
    tour.paste(keys.join('').replaceAll('\0', ''))
  }
  // Out of a half key, a prompt, a search, the help.
  for (let escapes = 0; escapes < 4; escapes++) tour.press('Escape')
  const screen = await tour.enter(':', 'regions', /\[8 Regions\]/)
  const lines = screen.trimEnd().split('\n')
  t.equal(lines.length, SIZE.rows)
  t.match(lines[0], /core\.bloat/)
  t.match(lines[1], /^ +1 Overview .*\[8 Regions\]/)
  t.match(lines.at(-1), /^ q quit {2}\? keys/)
  tour.press('q')
  await tour.ended(t, 0)
})
