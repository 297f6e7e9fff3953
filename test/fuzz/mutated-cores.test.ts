// Thousands of damaged cores: each ends in a report with possible numbers, or in an error for the user.
// SEED= and ROUNDS= repeat a run, with ROUND= only that one of it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { ChunkIndex } from '../../src/malloc/chunks/chunk-index.js'
import { listChunks } from '../../src/malloc/chunks/list-chunks.js'
import { readHeapModel } from '../../src/malloc/read-heap-model.js'
import { type Address, offset } from '../../src/memory/address.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import type { Report } from '../../src/report/report.js'
import { measure } from '../../src/session/measure.js'
import { openTarget } from '../../src/target/open.js'
import { type Target, TargetError } from '../../src/target/target.js'
import { auxv, elfCore, elfImage, mappedFiles, prpsinfo, prstatus } from '../fakes/elf-core.js'
import { type Architecture, buildOf, compileFor, fetchedSuites, type GlibcBuild } from '../matrix/glibcs.js'
import { compile, gcore, kernelCore, kernelCores, scratch, start } from '../support/programs.js'
import { aimAt } from './aim.js'
import { type Aim, MUTATIONS, randomFrom } from './mutations.js'

const SEED = Number(process.env.SEED ?? 20_261_128)
const ROUNDS = Number(process.env.ROUNDS ?? 2000)
const ONLY = process.env.ROUND === undefined ? null : Number(process.env.ROUND)
t.comment(`SEED=${SEED} ROUNDS=${ROUNDS}`)

/** Reads of one round, of which a sound core of this size takes a few thousand. */
const MOST_READS = 1_000_000
const MOST_BYTES = 4 * 2 ** 30
const MOST_HEAP_GROWTH = 600 * 2 ** 20
/** User space with five levels of page tables. */
const ADDRESS_SPACE = 2 ** 57
const STUCK_MS = 120_000

const folder = existsSync('/dev/shm') ? scratchIn() : scratch()
const path = join(folder, 'mutated')

function scratchIn(): string {
  const before = process.env.TMPDIR
  process.env.TMPDIR = '/dev/shm'
  const made = scratch()
  if (before === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = before
  return made
}

/** A watchdog in a thread of its own: says which round hangs, and ends the process. */
function watchdog(): { round(number: number): void; stop(): void } {
  const state = new Int32Array(new SharedArrayBuffer(4))
  const code = `
    const { workerData: { state, most, seed } } = require('node:worker_threads')
    let last = -1, since = Date.now()
    setInterval(() => {
      if (state[0] !== last) { last = state[0]; since = Date.now() }
      else if (Date.now() - since > most) {
        require('node:fs').writeSync(2, 'SEED=' + seed + ': round ' + last + ' hangs\\n')
        process.kill(process.pid, 'SIGKILL')
      }
    }, 1000)`
  const worker = new Worker(code, { eval: true, workerData: { state, most: STUCK_MS, seed: SEED } })
  worker.unref()
  return {
    round: (number) => {
      state[0] = number
    },
    stop: () => void worker.terminate(),
  }
}

class TooMuch extends Error {}

function counted(target: Target): { target: Target; reads(): number } {
  let reads = 0
  let bytes = 0
  const memory: MemorySource = {
    read(at: Address, into: Uint8Array): number {
      reads++
      const got = target.memory.read(at, into)
      bytes += got
      if (reads > MOST_READS || bytes > MOST_BYTES) throw new TooMuch(`${reads} reads, ${bytes} bytes`)
      return got
    },
    fault: (at: Address) => target.memory.fault(at),
  }
  const proxy = new Proxy(target, {
    get: (real, name) => {
      if (name === 'memory') return memory
      const value = Reflect.get(real, name, real) as unknown
      return typeof value === 'function' ? (value.bind(real) as unknown) : value
    },
  })
  return { target: proxy, reads: () => reads }
}

/** What is impossible in a report, in words. */
function wrongIn(report: Report): string[] {
  const wrong: string[] = []
  const check = (what: string, value: number | null | undefined) => {
    if (value === null || value === undefined) return
    if (!(value >= 0 && value <= ADDRESS_SPACE && Number.isInteger(value))) wrong.push(`${what} is ${value}`)
  }
  const add = (what: string, whole: number | null, ...parts: (number | null)[]) => {
    const sum = parts.reduce<number | null>((a, b) => (a === null || b === null ? null : a + b), 0)
    if (whole !== null && sum !== null && whole !== sum)
      wrong.push(`${what}: ${parts.join(' + ')} is not ${whole}`)
  }
  const { heap } = report
  for (const arena of heap?.arenas ?? []) {
    const name = `arena ${arena.index}`
    for (const [key, value] of Object.entries(arena))
      if (typeof value === 'number') check(`${name} ${key}`, value)
    for (const one of arena.heaps) check(`${name} heap ${one.address}`, one.sizeBytes)
    add(`${name} system`, arena.systemBytes, arena.inUseBytes, arena.freeBytes)
    add(`${name} free`, arena.freeBytes, arena.fastbinBytes, arena.binnedBytes, arena.topBytes)
    add(`${name} in use`, arena.inUseBytes, arena.liveBytes, arena.tcacheBytes, arena.overheadBytes)
    for (const size of arena.sizeClasses ?? [])
      for (const value of Object.values(size)) check(`${name} sizes`, value)
  }
  for (const [key, value] of Object.entries(heap?.totals ?? {})) check(`totals ${key}`, value)
  if (heap) {
    check('mmapped count', heap.mmapped.count)
    check('mmapped bytes', heap.mmapped.bytes)
    add('system', heap.totals.systemBytes, ...heap.arenas.map((arena) => arena.systemBytes))
    for (const one of heap.anomalies) if (/NaN|Infinity|undefined/.test(one.what)) wrong.push(one.what)
  }
  for (const one of report.maps.categories) check(one.category, one.virtualBytes)
  if (/:(NaN|Infinity)/.test(JSON.stringify(report))) wrong.push('a number is none')
  return wrong
}

/** Everything that can be asked of one core; the names of what went wrong. */
async function examine(outcome: {
  opened: number
  refused: number
  malloc: number
  most: number
}): Promise<string[]> {
  let opened: Target
  try {
    opened = openTarget({ kind: 'core', path })
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    outcome.refused++
    return error.hint === '' || error.message === '' ? ['an error without words'] : []
  }
  const { target, reads } = counted(opened)
  try {
    const { malloc, report } = await measure(target, null)
    outcome.opened++
    const wrong = wrongIn(report)
    if (malloc) {
      outcome.malloc++
      let chunks = 0
      let before = -1n
      let order = 0
      for (const batch of listChunks(target.memory, malloc.layout, malloc.model)) {
        chunks += batch.count
        for (let row = 0; row < batch.count; row++) {
          if (batch.addresses[row]! <= before) order++
          before = batch.addresses[row]!
        }
      }
      // Heaps rise inside an arena, arenas do not.
      const heaps = malloc.model.arenas.reduce((sum, arena) => sum + arena.heaps.length, 0)
      if (order > heaps + malloc.model.mmapped.found.length)
        wrong.push(`${order} chunks lie before the one before`)
      if (chunks > 10_000_000) wrong.push(`${chunks} chunks`)
      const index = new ChunkIndex(target.memory, malloc.layout, malloc.model.arenas, true)
      for (const { heaps } of malloc.model.arenas) {
        for (const heap of heaps) index.chunksIn(heap.address, offset(heap.address, 4096))
      }
    }
    outcome.most = Math.max(outcome.most, reads())
    return wrong
  } finally {
    opened.close()
  }
}

async function fuzz(test: Test, aim: Aim, rounds: number, firstRound: number) {
  const names = [...MUTATIONS.keys()]
  const outcome = { opened: 0, refused: 0, malloc: 0, most: 0 }
  const dog = watchdog()
  const heapBefore = process.memoryUsage().rss
  const slowest: [number, string][] = []
  for (let round = firstRound; round < firstRound + rounds; round++) {
    if (ONLY !== null && round !== ONLY) continue
    const name = names[round % names.length]!
    const random = randomFrom(SEED + round * 7919)
    dog.round(round)
    writeFileSync(path, MUTATIONS.get(name)!(aim.bytes.slice(), aim, random))
    const began = performance.now()
    const said = `ROUND=${round} SEED=${SEED} (${name})`
    try {
      const wrong = await examine(outcome)
      if (wrong.length > 0) test.fail(`${said}: ${wrong.slice(0, 5).join('; ')}`)
    } catch (error) {
      test.fail(`${said}: ${error instanceof Error ? error.stack : String(error)}`)
    }
    slowest.push([Math.round(performance.now() - began), said])
  }
  dog.stop()
  slowest.sort((a, b) => b[0] - a[0])
  test.comment(
    `${JSON.stringify(outcome)}; slowest: ${slowest
      .slice(0, 3)
      .map(([ms, what]) => `${ms} ms ${what}`)
      .join(', ')}`,
  )
  const growth = process.memoryUsage().rss - heapBefore
  test.ok(growth < MOST_HEAP_GROWTH, `memory grew by ${Math.round(growth / 2 ** 20)} MiB`)
  if (ONLY === null && rounds >= 200) {
    test.ok(outcome.opened > rounds / 4, `${outcome.opened} of ${rounds} end in a report`)
    test.ok(outcome.refused > 0, `${outcome.refused} are refused`)
  }
  return outcome
}

/** Shapes of heap-shapes.c, and the share of all rounds that each takes. */
const SHAPES = [
  ['fastbins', 'amd64', 0.4],
  ['foreign-sbrk', 'amd64', 0.15],
  ['noncontiguous', 'amd64', 0.15],
  ['fastbins', 'i386', 0.15],
] as const
const I386 = buildOf(await fetchedSuites(), '2.36', 'i386')

let done = 0
for (const [shape, architecture, share] of SHAPES) {
  const name = `damaged copies of a real core: ${shape}, ${architecture}`
  if (architecture === 'i386' && typeof I386 === 'string') {
    t.pass(name, { skip: I386 })
    continue
  }
  const rounds = Math.ceil(ROUNDS * share)
  const first = done
  done += rounds
  t.test(name, async (t) => {
    const core = await soundCore(shape, architecture)
    const bytes = new Uint8Array(readFileSync(core))
    t.comment(`the sound core has ${bytes.length} bytes`)
    const sound = openTarget({ kind: 'core', path: core })
    const malloc = (await readHeapModel(sound, null))!
    t.same(malloc.model.anomalies, [])
    const aim = aimAt(bytes, sound.memory, malloc)
    sound.close()
    const { malloc: told } = await fuzz(t, aim, rounds, first)
    if (ONLY === null && rounds >= 200) t.ok(told > rounds / 2, `arenas are told of ${told}`)
  })
}

/** A core of a process with small stacks, which make it small. */
async function soundCore(shape: string, architecture: Architecture): Promise<string> {
  const work = scratch()
  const source = 'test/programs/heap-shapes.c'
  const program = architecture === 'i386' ? compileFor(I386 as GlibcBuild, source) : compile(source)
  const options = kernelCores() ? {} : { env: { MALLOC_ARENA_MAX: '2' } }
  const arguments_ = ['-c', 'ulimit -s 256; exec "$0" "$@"', program, shape, join(work, 'out')]
  const running = await start('/bin/sh', arguments_, { cwd: work, ...options })
  if (kernelCores()) return kernelCore(running, work, 'sound')
  const core = gcore(running.pid, join(work, 'sound'))
  await running.kill()
  return core
}

t.test('damaged synthetic cores', async (t) => {
  const image = elfImage({ loads: [{ offset: 0, address: 0n, bytes: 4096, flags: 5 }], buildId: 'aa11' })
  const bytes = elfCore({
    notes: [
      prstatus({ tid: 7, stackPointer: 0x21100n, threadPointer: 0x20200n, signal: 11 }),
      prstatus({ tid: 8, stackPointer: 0x21200n, threadPointer: 0x20400n }),
      prpsinfo(7, 'p', 'p'),
      auxv([[3, 0x10040n]]),
      mappedFiles([
        { start: 0x10000n, end: 0x12000n, page: 0, path: process.execPath },
        { start: 0x30000n, end: 0x34000n, page: 2, path: '/lib/libc.so.6' },
      ]),
    ],
    segments: [
      { address: 0x10000n, bytes: image, memoryBytes: 8192, flags: 5 },
      { address: 0x20000n, bytes: new Uint8Array(8192).fill(2) },
      { address: 0x30000n, bytes: new Uint8Array(16384), flags: 6 },
      { address: 0x7f00_0000_0000n, memoryBytes: 1 << 26 },
    ],
    extendedCount: SEED % 2 === 0,
  })
  writeFileSync(path, bytes)
  const sound = openTarget({ kind: 'core', path })
  const aim = aimAt(bytes, sound.memory, null)
  sound.close()
  await fuzz(t, aim, Math.max(0, ROUNDS - done), done)
})
