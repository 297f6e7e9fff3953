// The whole program over live processes in a real terminal: what changes, what they do, and what is run inside them.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, scratch, start } from '../support/programs.js'
import { noTmux } from '../support/tmux.js'
import { rowUnderCursor, TuiTour } from '../support/tui-tour.js'

const skip = noTmux()
const SIZE = { columns: 140, rows: 30 }
const folder = scratch()

async function reportOf(pid: number): Promise<Report> {
  return JSON.parse((await arenaInspect(['report', '--pid', `${pid}`, '--json'])).stdout) as Report
}

/** Bytes of anonymous memory in RAM. */
function anonymousRss(pid: number): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}

const MOST_STACK_BYTES = 64 << 10

t.test('a process that grows', { skip }, async (t) => {
  const running = await start(compile('test/programs/grower.c'), ['live', '400000'])
  t.teardown(() => running.kill())
  running.child.stdout!.resume()
  const tour = new TuiTour(t, SIZE, folder)
  tour.open(`--pid ${running.pid}`)
  await tour.until(/\[1 Overview\][\s\S]* read \d+ s ago/)
  const first = await tour.go('2', /\[2 Arenas\][\s\S]*^▸ *main!?/m)
  t.match(first, new RegExp(`pid ${running.pid} \\((running|sleeping)\\)`))
  t.notMatch(first, /\d [KMG]iB▴/, 'no marks at first')
  const inUse = (screen: string) => rowUnderCursor(screen).join(' ')
  const marked = await tour.go('r', /^▸ *main!? .*iB▴/m)
  t.not(inUse(marked), inUse(first))
  t.match(marked, / refreshed/)

  await tour.enter(':', 'every 1', / read \d+ s ago · every 1 s/)
  for (let refreshes = 0, before = inUse(marked); refreshes < 3; refreshes++) {
    const after = await tour.until((screen) => /^▸ *main!? .*iB▴/m.test(screen) && inUse(screen) !== before)
    before = inUse(after)
  }
  await tour.go('R', /no more refreshes by itself/)
  tour.press('4')
  await tour.until(/\[4 Chunks\][\s\S]*^▸0x/m)
  tour.press('j', 'j', 'j')
  const chosen = rowUnderCursor(await tour.until(/ 4\/[\d,]+$/m))[0]
  await tour.go('r', / refreshed/)
  t.equal(rowUnderCursor(await tour.until(/ 4\/[\d,]+$/m))[0], chosen, 'the cursor stays on its chunk')

  process.kill(running.pid, 'SIGSTOP')
  await tour.until(/\(stopped\)/)
  await tour.go('r', / refreshed/)
  t.match(tour.screen(), /\(stopped\)/, 'looking at it does not make it run')
  process.kill(running.pid, 'SIGCONT')
  await tour.until(/\((running|sleeping)\)/)

  const kept = await tour.go('2', /\[2 Arenas\][\s\S]*^▸ *main!?/m)
  await running.kill()
  await tour.until(/\(gone\)/)
  const failed = await tour.go('r', /error: refresh failed: process \d+ has ended/)
  t.equal(inUse(failed), inUse(kept), 'what was read is still there')
  tour.press('q')
  await tour.ended(t, 0)
})

t.test('trim and limit: asked, refused, agreed to', { skip }, async (t) => {
  const page = join(folder, 'page')
  writeFileSync(page, Buffer.alloc(4096))
  const running = await start(compile('test/programs/control-target.c'), ['arenas', page, '6'])
  t.teardown(() => running.kill())
  const tour = new TuiTour(t, SIZE, folder)
  tour.open(`--pid ${running.pid}`)
  await tour.until(/\[1 Overview\][\s\S]* read \d+ s ago/)
  const before = await tour.go('2', /\[2 Arenas\][\s\S]*^▸/m)
  const rssBefore = anonymousRss(running.pid)

  const asked = await tour.enter(':', 'trim', /y does it, any other key leaves it/)
  const predicted = Number(
    /It is predicted to give back .*\(([\d,]+) bytes\)/.exec(asked)![1]!.replaceAll(',', ''),
  )
  t.ok(predicted > 10 << 20)
  t.match(asked, new RegExp(`This will run malloc_trim\\(0\\) inside process ${running.pid}\\.`))
  await tour.go('n', (screen) => !/y does it/.test(screen))
  t.equal(anonymousRss(running.pid), rssBefore, 'nothing was done')
  t.equal(rowUnderCursor(tour.screen()).join(' '), rowUnderCursor(before).join(' '))

  await tour.enter(':', 'trim', /y does it, any other key leaves it/)
  const done = await tour.go('y', /malloc_trim\(0\) returned 1; [\s\S]*the process stood still for/)
  const [, told, came] = /process \(RSS\) +([\d,]+) +([\d,]+) /.exec(done)!
  t.equal(Number(told!.replaceAll(',', '')), predicted)
  const returned = Number(came!.replaceAll(',', ''))
  // The call leaves some pages of its thread's stack behind, which were in RAM before it was measured.
  const stackBytes = returned - (rssBefore - anonymousRss(running.pid))
  t.ok(stackBytes >= 0 && stackBytes <= MOST_STACK_BYTES, `as the kernel counts it, but for ${stackBytes}`)
  await tour.go('Escape', (screen) => !/malloc_trim/.test(screen) && /\[2 Arenas\]/.test(screen))

  await tour.enter(':', 'limit 2', /This will run mallopt\(M_ARENA_MAX, 2\)[\s\S]*y does it/)
  await tour.go('Escape', (screen) => !/y does it/.test(screen))
  t.equal((await reportOf(running.pid)).heap!.parameters?.arenaMax ?? 0, 0, 'not set')
  await tour.enter(':', 'limit 2', /This will run mallopt\(M_ARENA_MAX, 2\)[\s\S]*y does it/)
  await tour.go('y', /mp_\.arena_max was 0, is 2/)
  t.equal((await reportOf(running.pid)).heap!.parameters?.arenaMax, 2)
  await tour.go('Escape', (screen) => !/mp_\.arena_max/.test(screen))
  tour.press('q')
  await tour.ended(t, 0)
  t.match(readFileSync(`/proc/${running.pid}/status`, 'utf8'), /^TracerPid:\t0$/m)
  t.match(readFileSync(`/proc/${running.pid}/stat`, 'latin1'), /\) [SR] /, 'it lives on')
})
