// heaps, bins, chunks and threads: each a different way through the same heap, and all must agree with the report.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { BinsDocument, HeapsDocument, ThreadsDocument } from '../../src/cli/documents/reading.js'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, kernelCore, kernelCores, scratch, start } from '../support/programs.js'

const folder = scratch()
const program = compile('examples/programs/arena-bloat.c')
const out = join(folder, 'out')
const running = await start(program, ['6', '70', '3', 'log:16:4096', out], { cwd: folder })
const core = kernelCores()
  ? await kernelCore(running, folder, 'core.commands')
  : gcore(running.pid, join(folder, 'core.commands'))
await running.kill()
const report = JSON.parse((await arenaInspect(['report', core, '--json'])).stdout) as Report
const { arenas, totals, threads } = report.heap!

interface Chunk {
  readonly address: string
  readonly sizeBytes: number
  readonly state: string
  readonly arena: number | null
}

async function chunks(...args: string[]): Promise<Chunk[]> {
  const { stdout, code } = await arenaInspect(['chunks', core, '--no-gdb', '--json', ...args])
  t.equal(code, 0)
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Chunk)
}

function sum(rows: readonly Chunk[], ...states: string[]): { chunks: number; bytes: number } {
  const wanted = rows.filter(({ state }) => states.includes(state))
  return { chunks: wanted.length, bytes: wanted.reduce((total, row) => total + row.sizeBytes, 0) }
}

t.test('every byte of every arena', async (t) => {
  for (const arena of arenas) {
    const parts = [
      'liveBytes',
      'tcacheBytes',
      'fastbinBytes',
      'binnedBytes',
      'topBytes',
      'overheadBytes',
    ] as const
    const total = parts.reduce((bytes, part) => bytes + arena[part]!, 0)
    t.equal(total, arena.systemBytes, `arena ${arena.index}`)
    t.equal(arena.liveBytes! + arena.tcacheBytes! + arena.overheadBytes!, arena.inUseBytes)
    const classes = arena.sizeClasses!
    t.equal(
      classes.reduce((bytes, row) => bytes + row.liveBytes, 0),
      arena.liveBytes,
    )
    t.equal(
      classes.reduce((bytes, row) => bytes + row.freeBytes, 0),
      arena.binnedBytes,
    )
    t.equal(
      classes.reduce((count, row) => count + row.liveChunks, 0),
      arena.usedChunks,
    )
  }
})

t.test("the program's own count", async (t) => {
  const rows = readFileSync(`${out}.truth.tsv`, 'utf8').split('\n').slice(1)
  for (const row of rows.filter((line) => /^[1-9]\d*\t0x/.test(line))) {
    const [, at, , , live, , bytes] = row.split('\t')
    const arena = arenas.find(({ address }) => address === at)!
    // Besides the program's blocks a worker's arena holds its tcache_perthread_struct (0x290 in this glibc).
    const own = { chunks: arena.usedChunks! - Number(live), bytes: arena.liveBytes! - Number(bytes) }
    t.same(own, { chunks: 1, bytes: 0x290 }, `arena ${arena.index}`)
  }
})

t.test('chunks', async (t) => {
  const all = await chunks()
  for (const arena of arenas) {
    const own = all.filter((chunk) => chunk.arena === arena.index)
    t.same(
      sum(own, 'live'),
      { chunks: arena.usedChunks, bytes: arena.liveBytes },
      `live in arena ${arena.index}`,
    )
    t.same(sum(own, 'tcache'), { chunks: arena.tcacheChunks, bytes: arena.tcacheBytes })
    t.equal(sum(own, 'fastbin').bytes, arena.fastbinBytes)
    t.equal(sum(own, 'unsorted', 'binned').bytes, arena.binnedBytes)
    t.same(sum(own, 'top'), { chunks: 1, bytes: arena.topBytes })
  }
  t.equal(sum(all, 'mmapped').bytes, report.heap!.mmapped.bytes)
  t.ok(sum(all, 'tcache').chunks > 0, 'there are cached chunks')
  const large = await chunks('--free', '--sort', 'size', '--limit', '7')
  const expected = all
    .filter(({ state }) => ['fastbin', 'unsorted', 'binned', 'top'].includes(state))
    .map(({ sizeBytes }) => sizeBytes)
    .sort((a, b) => b - a)
  t.same(
    large.map(({ sizeBytes }) => sizeBytes),
    expected.slice(0, 7),
    'the largest free ones',
  )
  const some = await chunks('--arena', '2', '--used', '--min', '1K', '--max', '2K')
  const filtered = all.filter(
    (chunk) =>
      chunk.arena === 2 &&
      ['live', 'tcache'].includes(chunk.state) &&
      chunk.sizeBytes >= 1024 &&
      chunk.sizeBytes <= 2048,
  )
  t.same(some, filtered)
  const text = await arenaInspect(['chunks', core, '--no-gdb', '--state', 'top'])
  t.equal(text.stdout.trimEnd().split('\n').length, 1 + arenas.length)
  t.equal((await arenaInspect(['chunks', core, '--min', 'much'])).code, 2)
})

t.test('heaps', async (t) => {
  const { stdout } = await arenaInspect(['heaps', core, '--no-gdb', '--json'])
  const rows = (JSON.parse(stdout) as HeapsDocument).heaps
  for (const arena of arenas) {
    const own = rows
      .filter((row) => row.arena === arena.index)
      .map(({ address, sizeBytes }) => ({ address, sizeBytes }))
    t.same(own, arena.heaps)
    t.equal(
      own.reduce((bytes, heap) => bytes + heap.sizeBytes, 0),
      arena.systemBytes,
    )
  }
  t.ok(rows.length > arenas.length, 'arenas of several heaps')
})

t.test('bins', async (t) => {
  const { stdout } = await arenaInspect(['bins', core, '--no-gdb', '--json'])
  const { bins, damage } = JSON.parse(stdout) as BinsDocument
  t.same(damage, [])
  for (const arena of arenas) {
    const of = arena.index === 0 ? 'main arena' : `arena ${arena.index}`
    const own = bins.filter((bin) => bin.of === of)
    t.equal(
      own.reduce((bytes, bin) => bytes + bin.bytes, 0),
      arena.binnedBytes! + arena.fastbinBytes!,
      `lists of ${of}`,
    )
    t.equal(
      own.reduce((count, bin) => count + bin.chunks, 0),
      arena.freeChunks,
    )
  }
  const cached = bins.filter(({ kind }) => kind === 'tcache')
  t.equal(
    cached.reduce((bytes, bin) => bytes + bin.bytes, 0),
    totals.tcacheBytes,
  )
})

t.test('threads', async (t) => {
  const { stdout } = await arenaInspect(['threads', core, '--json'])
  const { threads: rows } = JSON.parse(stdout) as ThreadsDocument
  t.same(
    rows.map(({ frames: _, ...thread }) => thread),
    threads,
  )
  t.equal(rows.length, 7)
  const workers = rows.filter(({ arena }) => arena !== null && arena > 0)
  t.same(
    new Set(workers.map(({ arena }) => arena)),
    new Set([1, 2, 3, 4, 5]),
    'each worker has an arena of its own',
  )
  t.ok(workers.every(({ tcache }) => tcache !== null && tcache.chunks > 0))
  t.ok(
    rows.every(({ frames }) => frames.length > 0),
    'stacks',
  )
  const text = await arenaInspect(['threads', core])
  t.match(text.stdout, / main +0x[0-9a-f]+ +\d+/)
})
