// Diffs of real processes that grow by a known amount: cores, snapshots, live, and saved reports on either side.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Diff } from '../../src/diff/diff.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, type Running, scratch, start } from '../support/programs.js'
import { endingOf, waitUntil } from '../support/wait-until.js'

const folder = scratch()

async function diffOf(a: string, b: string, ...more: readonly string[]): Promise<Diff> {
  const { stdout, stderr, code } = await arenaInspect(['diff', a, b, '--json', '--no-gdb', ...more])
  t.equal(code, 0, stderr)
  return JSON.parse(stdout) as Diff
}

function grew({ figures }: Diff, metric: string): number | null {
  return figures.find((figure) => figure.metric === metric)!.grew
}

/** The lines that a program has printed since its first one, the newest last. */
function linesOf(running: Running): string[] {
  const lines: string[] = []
  let text = ''
  running.child.stdout!.on('data', (data: Buffer) => {
    text += data
    const whole = text.split('\n')
    text = whole.pop()!
    lines.push(...whole)
  })
  return lines
}

t.test('two cores of a program that holds ever more', async (t) => {
  // 4096-byte blocks, chunks of 4112 bytes; its lines say how many it holds.
  const running = await start(compile('test/programs/grower.c'), ['live', '2000000'])
  t.teardown(() => running.kill())
  const lines = linesOf(running)
  const ending = endingOf(running.child)
  const steps = () => Number(lines.at(-1)?.split(' ')[3] ?? 0)
  const coreAt = async (least: number, name: string) => {
    await waitUntil('it grew', () => steps() >= least, ending)
    const before = steps()
    const core = gcore(running.pid, join(folder, name))
    const known = lines.length
    await waitUntil('it said more', () => lines.length > known + 1, ending)
    return { core, before, after: steps() }
  }
  const first = await coreAt(10, 'core.1')
  const second = await coreAt(first.after + 200, 'core.2')
  const diff = await diffOf(first.core, second.core)
  t.equal(diff.sameProcess, true)
  t.equal(diff.complete, true)
  const chunks = grew(diff, 'live-chunks')!
  t.ok(chunks >= second.before - first.after && chunks <= second.after - first.before, `${chunks} chunks`)
  t.equal(grew(diff, 'live'), chunks * 4112, 'each to the byte')
  const classes = diff.sizeClasses!.filter(({ liveBytes }) => liveBytes.grew !== 0)
  t.match(classes, [{ minBytes: 4096, liveBytes: { grew: chunks * 4112 }, liveChunks: { grew: chunks } }])
  t.equal(classes.length, 1)
  t.match(diff.arenas, [{ presence: 'both', indexInB: 0, inUseBytes: { grew: grew(diff, 'in-use') } }])
  t.equal(grew(diff, 'arenas'), 0)
  const heap = diff.categories.find(({ category }) => category === 'main heap')!
  t.ok(heap.virtualBytes.grew! >= grew(diff, 'system')!)

  const failing = await arenaInspect([
    ...['diff', first.core, second.core, '--no-gdb', '--fail-on', 'in-use>1%', '--fail-on', 'arenas>0'],
  ])
  t.equal(failing.code, 3)
  t.match(failing.stderr, /^arena-inspect: in-use>1%: in-use grew by \+[\d.]+ \w+ \(\+[\d.]+ %\)\n$/)
  t.match(failing.stdout, /Live chunks, by size[\s\S]*4,096 … 5,119 bytes/)
  const fine = await arenaInspect(['diff', second.core, first.core, '--no-gdb', '--fail-on', 'in-use>0%'])
  t.equal(fine.code, 0, 'what shrank has not grown')
})

t.test('snapshots, a live process, and a saved report', async (t) => {
  const blocks = 700
  const running = await start(compile('test/programs/stepper.c'), [String(blocks)])
  t.teardown(() => running.kill())
  const lines = linesOf(running)
  const ending = endingOf(running.child)
  const side = `pid:${running.pid}`
  const step = async (count: number) => {
    running.child.kill('SIGUSR1')
    await waitUntil(`step ${count}`, () => lines.includes(`step ${count}`), ending)
  }
  const snapshot = async (name: string) => {
    const file = join(folder, name)
    const { code, stderr } = await arenaInspect([
      'snapshot',
      '--pid',
      String(running.pid),
      '--no-gdb',
      '-o',
      file,
    ])
    t.equal(code, 0, stderr)
    return file
  }
  await step(1)
  const first = await snapshot('first.gz')
  await step(2)
  await step(3)
  const second = await snapshot('second.gz')
  const report = join(folder, 'first.json')
  await arenaInspect(['report', first, '--json', '-o', report])

  const diff = await diffOf(first, second)
  t.match(diff, { sameProcess: true, complete: true, a: { kind: 'live' }, problems: [] })
  t.equal(grew(diff, 'threads'), 2)
  t.equal(grew(diff, 'arenas'), 2)
  const fresh = diff.arenas!.filter(({ presence }) => presence === 'new')
  t.equal(fresh.length, 2)
  for (const { systemBytes, indexInA } of fresh) {
    t.equal(indexInA, null)
    t.equal(systemBytes.from, 0)
    t.ok(systemBytes.grew! >= blocks * 1008)
  }
  t.same(
    diff.threads!.filter(({ presence }) => presence === 'new').map(({ name }) => name),
    ['step-2', 'step-3'],
  )
  const held = diff.sizeClasses!.find(({ minBytes }) => minBytes === 1008)!
  t.equal(held.liveChunks.grew, 4 * blocks)
  t.equal(held.liveBytes.grew, 4 * blocks * 1008)

  const fromReport = await diffOf(report, second)
  t.same(fromReport, diff, 'a saved report says the same')
  const live = await diffOf(first, side)
  t.same(live.sizeClasses, diff.sizeClasses, 'and the process itself')
  t.same(live.arenas, diff.arenas)
  await step(4)
  const later = await diffOf(second, side)
  t.equal(later.sizeClasses!.find(({ minBytes }) => minBytes === 1008)!.liveChunks.grew, 2 * blocks)
  const back = await diffOf(side, first)
  t.equal(back.arenas!.filter(({ presence }) => presence === 'gone').length, 3)

  const page = join(folder, 'diff.html')
  await arenaInspect(['diff', first, second, '--format', 'html', '-o', page])
  t.match(readFileSync(page, 'utf8'), /class="grew"[\s\S]*step-3, new/)
  const markdown = await arenaInspect(['diff', first, second, '--format', 'markdown', '--limit', '1'])
  t.match(markdown.stdout, /\n## Arenas, by system bytes\n[\s\S]*… and 2 more\./)
})

t.test('what makes no sense is told in a line', async (t) => {
  for (const [args, code, says] of [
    [['only.one'], 2, /name two sides/],
    [['a', 'b', '--fail-on', 'rubbish>1'], 2, /--fail-on takes METRIC>N% or METRIC>SIZE.*metrics: rss/],
    [['a', 'pid:x'], 1, /a: no such file/],
    [[join(folder, 'core.1'), 'pid:x'], 2, /--pid takes a process id/],
  ] as const) {
    const ended = await arenaInspect(['diff', ...args, '--no-gdb'])
    t.equal(ended.code, code, ended.stderr)
    t.match(ended.stderr, says)
    t.equal(ended.stderr.trimEnd().split('\n').length, 1)
    t.equal(ended.stdout, '')
  }
})
