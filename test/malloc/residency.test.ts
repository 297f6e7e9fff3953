// Residency: parts against the kernel's counts, live against core, and the walk's account against a naive one.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PageTally } from '../../src/malloc/chunks/page-tally.js'
import type { Segment } from '../../src/malloc/chunks/segment.js'
import type { ArenaResidency } from '../../src/malloc/heap-model.js'
import { address, offset } from '../../src/memory/address.js'
import { GapList, type PageRuns } from '../../src/memory/page-runs.js'
import { openSession, type TargetSession } from '../../src/session/open-session.js'
import { dataRuns, parseRuns } from '../../src/target/core/file-holes.js'
import type { TargetChoice } from '../../src/target/open.js'
import { compile, kernelCore, kernelCores, scratch, start } from '../support/programs.js'

const PROGRAM = 'test/programs/trim-shapes.c'
const PAGE = 4096

const sumOf = (parts: ArenaResidency) => Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)

async function sessionOf(choice: TargetChoice): Promise<TargetSession> {
  return openSession(choice, { useGdb: false })
}

for (const shape of ['scattered', 'untouched', 'fastbins', 'top'] as const) {
  t.test(`a process with a heap of shape ${shape}, and its core`, async (t) => {
    const folder = scratch()
    const running = await start(compile(PROGRAM), [shape, '8'], { cwd: folder })
    const live = await sessionOf({ kind: 'live', pid: Number(running.line) })
    const arenas = live.measurement.malloc!.model.arenas
    for (const { index, heaps, resident } of arenas) {
      const kernel = heaps.reduce(
        (sum, heap) =>
          sum + live.target.residentBytes(heap.address, offset(heap.address, heap.reservedBytes))!,
        0,
      )
      t.equal(sumOf(resident!), kernel, `arena ${index}: its parts are what the kernel counts in its heaps`)
    }
    const ledger = live.report.ledger!
    const told = ledger.entries.reduce((sum, entry) => sum + entry.residentBytes, 0)
    t.equal(told + ledger.unaccountedBytes, ledger.totalBytes, 'lines and the rest are the total')
    t.ok(Math.abs(ledger.unaccountedPercent) < 1, `${ledger.unaccountedPercent} % unaccounted`)
    t.equal(ledger.basis, 'rss')
    const parts = arenas.map(({ resident, trimReturnsBytes }) => ({ resident, trimReturnsBytes }))
    await live.close()
    if (!kernelCores()) {
      await running.kill()
      t.pass('core', { skip: 'core_pattern sends cores elsewhere on this machine' })
      return
    }
    const path = await kernelCore(running, folder, 'core.test')
    const core = await sessionOf({ kind: 'core', path })
    t.same(
      core.measurement.malloc!.model.arenas.map(({ resident, trimReturnsBytes }) => ({
        resident,
        trimReturnsBytes,
      })),
      parts,
      "the core's holes tell the same of every arena",
    )
    t.equal(core.report.ledger?.basis, 'saved')
    t.equal(core.report.ledger?.unaccountedBytes, 0, 'every saved byte is in one line')
    await core.close()
  })
}

t.test('a core without holes says nothing of what was in RAM', async (t) => {
  const file = join(scratch(), 'full')
  const fd = openSync(file, 'w+')
  writeSync(fd, new Uint8Array(3 * PAGE).fill(1))
  t.equal(dataRuns(fd), null)
  closeSync(fd)
})

t.test('data and holes of a file, by each way to ask for them', async (t) => {
  const file = join(scratch(), 'sparse')
  const fd = openSync(file, 'w+')
  writeSync(fd, new Uint8Array(PAGE).fill(1), 0, PAGE, 16 * PAGE)
  writeSync(fd, new Uint8Array(PAGE).fill(1), 0, PAGE, 64 * PAGE)
  ftruncateSync(fd, 128 * PAGE)
  for (const command of ['perl', 'python3', 'gdb'] as const) {
    const runs = dataRuns(fd, [command])
    if (!runs) t.pass(command, { skip: `${command} is not here` })
    else
      t.same(
        [...runs.starts].map((start, index) => [start / PAGE, runs.ends[index]! / PAGE]),
        [
          [16, 17],
          [64, 65],
        ],
        command,
      )
  }
  closeSync(fd)
  t.equal(parseRuns('0 4096\n2048 8192\n', 1 << 20), null, 'overlapping stretches are no answer')
  t.equal(parseRuns('0 4096\nnonsense\n', 1 << 20), null)
  t.equal(parseRuns('0 4096\n', 4095), null, 'nor is one that ends behind the file')
})

// Random chunks over random gaps: the account that skips from event to event, and one that looks at every page.
t.test('the account of pages is that of a naive one', async (t) => {
  let seed = 20261123
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let round = 0; round < 300; round++) {
    const base = 0x7f0000000000 + random(64) * PAGE
    const pages = 40 + random(100)
    const there = Array.from({ length: pages }, () => random(3) > 0)
    const gaps = new GapList()
    there.forEach((is, page) => {
      if (!is) gaps.add(base + page * PAGE, base + (page + 1) * PAGE)
    })
    const runs = gaps.runs(base, base + pages * PAGE)
    const chunks = randomChunks(pages * PAGE, random)
    const fast = chunks.filter(({ kind }) => kind === 'fast').map(({ at }) => base + at)
    const tally = accountOf(base, pages * PAGE, chunks, runs, fast)
    t.same(
      tally,
      naiveAccount(base, chunks, (at) => there[Math.floor((at - base) / PAGE)]!),
      `round ${round}`,
    )
  }
})

interface Chunk {
  readonly at: number
  readonly size: number
  readonly kind: 'used' | 'fast' | 'free' | 'top'
}

function randomChunks(bytes: number, random: (below: number) => number): Chunk[] {
  const chunks: Chunk[] = []
  let at = 16 * random(8)
  while (bytes - at > 40_000) {
    const kind = (['used', 'used', 'fast', 'free'] as const)[random(4)]!
    const isSmall = kind === 'fast' || random(2) === 0
    const size = 16 * (2 + random(isSmall ? 7 : 1200))
    // Two free chunks never lie side by side.
    if (kind === 'free' && chunks.at(-1)?.kind === 'free') continue
    chunks.push({ at, size, kind })
    at += size
  }
  if (chunks.at(-1)?.kind === 'free') chunks.pop()
  const last = chunks.at(-1)
  const top = last ? last.at + last.size : at
  return [...chunks, { at: top, size: bytes - top, kind: 'top' }]
}

function accountOf(
  base: number,
  end: number,
  chunks: readonly Chunk[],
  runs: PageRuns,
  fast: readonly number[],
) {
  const fastChunks = Float64Array.from(fast)
  const pages = new PageTally({ pagesOf: () => runs, pageBytes: PAGE, wordBytes: 8, fastChunks })
  const origin = address(BigInt(base))
  const segment: Segment = { origin, first: chunks[0]!.at, end, top: chunks.at(-1)!.at, isMain: false }
  pages.begin(segment)
  for (const { at, size, kind } of chunks) {
    if (kind === 'top') pages.top(at, size)
    else if (kind === 'free') pages.free(at, size)
    else if (at + size > pages.next) pages.used(at, size)
  }
  pages.end()
  const { usedAbsent, fastAbsent, freeAbsent, topAbsent, trimmable, joinedTrimmable, topStart } = pages
  return { usedAbsent, fastAbsent, freeAbsent, topAbsent, trimmable, joinedTrimmable, topStart }
}

function naiveAccount(base: number, chunks: readonly Chunk[], isThere: (at: number) => boolean) {
  const absent = ({ at, size }: { at: number; size: number }) => {
    let bytes = 0
    for (let byte = base + at; byte < base + at + size; byte += 16) if (!isThere(byte)) bytes += 16
    return bytes
  }
  const whole = ({ at, size }: { at: number; size: number }) => {
    let bytes = 0
    if (size <= PAGE - 1 + 48) return 0
    const first = Math.ceil((base + at + 48) / PAGE) * PAGE
    for (let page = first; page + PAGE <= base + at + size; page += PAGE) if (isThere(page)) bytes += PAGE
    return bytes
  }
  const sum = (kinds: readonly Chunk['kind'][], of: (chunk: Chunk) => number) =>
    chunks.filter(({ kind }) => kinds.includes(kind)).reduce((all, chunk) => all + of(chunk), 0)
  const runs: { at: number; size: number }[] = []
  let open: { at: number; size: number } | null = null
  for (const { at, size, kind } of chunks) {
    if (kind === 'free' || kind === 'fast') {
      if (open) open.size += size
      else open = { at, size }
    } else {
      if (open && kind !== 'top') runs.push(open)
      if (kind !== 'top') open = null
    }
  }
  const top = chunks.at(-1)!
  const hasFast = chunks.some(({ kind }) => kind === 'fast')
  const trimmable = sum(['free'], whole)
  return {
    usedAbsent: sum(['used', 'fast'], absent),
    fastAbsent: sum(['fast'], absent),
    freeAbsent: sum(['free'], absent),
    topAbsent: absent(top),
    trimmable,
    joinedTrimmable: hasFast ? runs.reduce((all, run) => all + whole(run), 0) : trimmable,
    topStart: base + (open?.at ?? top.at),
  }
}
