// Threads' arenas and tcaches: what programs freed themselves, what gdb says, and damage.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { ChunkIndex } from '../../src/malloc/chunks/chunk-index.js'
import { layoutOfVersion, minorVersion } from '../../src/malloc/layout.js'
import { readHeapModel } from '../../src/malloc/read-heap-model.js'
import { cachesByContent, tcacheChunkSizes } from '../../src/malloc/threads/caches-by-content.js'
import { readTcache } from '../../src/malloc/threads/read-tcache.js'
import { readThreads, type ThreadsMalloc } from '../../src/malloc/threads/read-threads.js'
import { tcbsIn } from '../../src/malloc/threads/scan-tcbs.js'
import {
  type TcacheLayout,
  tcacheLayoutOfStruct,
  tcacheLayouts,
} from '../../src/malloc/threads/tcache-layout.js'
import type { ThreadCache } from '../../src/malloc/threads/thread-cache.js'
import { address, offset } from '../../src/memory/address.js'
import { PageCache } from '../../src/memory/page-cache.js'
import { openSymbols } from '../../src/target/gdb/open-symbols.js'
import { openTarget, type TargetChoice } from '../../src/target/open.js'
import type { Symbols, Target } from '../../src/target/target.js'
import { memoryOf, patched } from '../fakes/memory.js'
import { compile, gcore, kernelCore, kernelCores, type Running, scratch, start } from '../support/programs.js'

const SEED = Number(process.env.SEED ?? 20_261_128)
t.comment(`SEED=${SEED}`)

interface Reading {
  readonly target: Target
  readonly state: NonNullable<Awaited<ReturnType<typeof readHeapModel>>>
  readonly read: ThreadsMalloc
}

/** As a program with debug information is read, or (`bare`) with nothing known of glibc's version. */
async function readingOf(target: Target, symbols: Symbols | null = null, bare = false): Promise<Reading> {
  const state = (await readHeapModel(target, symbols))!
  const layout = bare ? { ...state.layout, safeLinking: null } : state.layout
  const minor = bare ? null : minorVersion(state.model.glibc.version)
  const read = await readThreads(target, symbols, layout, minor, state.model.arenas)
  return { target, state: { ...state, layout }, read }
}

/** [tid, [[bin, chunks, bytes], …]] of every thread, as the program says that it filled its tcache (64 bit). */
function truthOf(line: string) {
  const { threads } = JSON.parse(line) as { threads: { tid: number; freed: number[] }[] }
  return threads.map(({ tid, freed }) => [
    tid,
    freed.flatMap((count, bin) => (count ? [[bin, count, count * (0x20 + 16 * bin)]] : [])),
  ])
}

function binsOf({ threads }: ThreadsMalloc) {
  return threads
    .map(({ tid, cache }) => [tid, (cache?.bins ?? []).map((bin) => [bin.index, bin.chunks, bin.bytes])])
    .sort((a, b) => Number(a[0]) - Number(b[0]))
}

/** What a thread has, without its name (cores do not tell all): to compare readings of the same process. */
function placesOf({ threads }: ThreadsMalloc) {
  return threads
    .map(({ tid, arena, threadPointer, cache }) => ({
      tid,
      arena,
      threadPointer,
      at: cache?.address ?? null,
    }))
    .sort((a, b) => a.tid - b.tid)
}

function checkSound(t: Test, { read, state, target }: Reading, line: string, what: string): void {
  t.same(binsOf(read), truthOf(line), `${what}: every cache holds what its thread freed`)
  t.same(read.anomalies, [], `${what}: nothing odd`)
  t.match(read, { allFound: true, how: 'tls-scan' }, what)
  const memory = new PageCache(target.memory)
  for (const { chunks, sizes, bins, complete } of read.caches) {
    const heads = [...chunks].map((chunk) => Number(memory.word(chunk + 8n, 8)! & ~7n))
    t.same([...sizes], heads, `${what}: columns of the same chunks`)
    t.equal(
      bins.reduce((sum, { bytes }) => sum + bytes, 0),
      heads.reduce((sum, size) => sum + size, 0),
    )
    t.ok(complete)
  }
  const arenas = new Set(state.model.arenas.map((arena) => arena.address))
  t.ok(
    read.threads.every(({ arena, cache }) => (arena ? arenas.has(arena) : cache === null)),
    `${what}: a thread with a cache has an arena of the ring`,
  )
}

async function readChoice(choice: TargetChoice, useGdb: boolean, bare = false): Promise<Reading> {
  const target = openTarget(choice)
  const symbols = useGdb ? await openSymbols(target) : null
  const reading = await readingOf(target, symbols, bare)
  await symbols?.close()
  return reading
}

/** Contents without owners, to compare caches found by thread with those found by content. */
function contents(caches: readonly ThreadCache[]) {
  return caches
    .map(({ address, bins }) => ({ address, bins }))
    .sort((a, b) => (a.address < b.address ? -1 : 1))
}

function byContent({ target, state, read }: Reading, known: readonly ThreadCache[] = []) {
  const index = new ChunkIndex(target.memory, state.layout, state.model.arenas, true)
  const sizes = tcacheChunkSizes(read.layouts)
  const candidates = state.model.arenas
    .flatMap(({ heaps }) => heaps)
    .flatMap((heap) => index.chunksIn(heap.address, offset(heap.address, heap.sizeBytes)))
    .filter((chunk) => chunk.state === 'used' && sizes.has(chunk.sizeBytes))
    .map((chunk) => chunk.address)
  return cachesByContent(target, BigUint64Array.from(candidates), state.layout, read.layouts, known)
}

/** Per tid what gdb prints for a thread-local variable of libc; null when this gdb cannot. */
function gdbSays(program: string, core: string, variable: string): Map<number, bigint> | null {
  const args = ['-nx', '-batch', program, core, '-ex', `thread apply all -s p ${variable}`]
  const text = execFileSync('gdb', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  // On some processors gdb 13 warns of each thread that its .reg-xstate section is too small.
  const said = [...text.matchAll(/LWP (\d+)\)+:\n(?:warning: .*\n)*\$\d+ = (?:\([^)]*\) )?(0x[0-9a-f]+)/g)]
  return said.length ? new Map(said.map(([, tid, value]) => [Number(tid), BigInt(value!)])) : null
}

function compareWithGdb(t: Test, program: string, core: string, { read }: Reading): void {
  const caches = gdbSays(program, core, 'tcache')
  const arenas = gdbSays(program, core, 'thread_arena')
  if (!caches || !arenas)
    return void t.pass('gdb', { skip: 'gdb cannot print libc thread-local variables here' })
  const zero = (map: Map<number, bigint>, tid: number) => map.get(tid) || null
  for (const { tid, arena, cache } of read.threads) {
    t.equal(cache?.address ?? null, zero(caches, tid), `tcache of ${tid} as gdb has it`)
    t.equal(arena, zero(arenas, tid), `thread_arena of ${tid} as gdb has it`)
  }
}

async function checkCore(
  t: Test,
  core: string,
  running: Running,
  live: Reading,
  what: string,
): Promise<Reading> {
  const reading = await readChoice({ kind: 'core', path: core }, false)
  checkSound(t, reading, running.line, what)
  t.same(placesOf(reading.read), placesOf(live.read), `${what} and live agree`)
  t.same(
    contents(byContent(reading).caches),
    contents(reading.read.caches),
    `${what}: the same caches by content`,
  )
  t.same(byContent(reading, reading.read.caches).caches, [], 'known caches are left out')
  return reading
}

const program = compile('test/programs/thread-caches.c')

for (const args of [['5'], ['0'], ['5', 'merged'], ['3', 'static']]) {
  t.test(`thread-caches ${args.join(' ')}`, async (t) => {
    const folder = scratch()
    const built = args[1] === 'static' ? compile('test/programs/thread-caches.c', ['-static']) : program
    const running = await start(built, args, { cwd: folder })
    const live = await readChoice({ kind: 'live', pid: running.pid }, args[1] !== 'static')
    checkSound(t, live, running.line, 'live')
    t.match(readFileSync(`/proc/${running.pid}/status`, 'utf8'), /TracerPid:\t0\n/, 'nobody attached')
    const bare = await readChoice({ kind: 'live', pid: running.pid }, false, true)
    checkSound(t, bare, running.line, 'live, version unknown')
    t.same(bare.read.layouts, live.read.layouts, 'the layout tells itself by content')
    if (args[0] !== '0')
      t.equal(new Set(live.read.threads.map(({ arena }) => arena)).size, 3, 'two arenas, and none')
    const dumped = gcore(running.pid, join(folder, 'core.gdb'))
    await checkCore(t, dumped, running, live, 'gcore')
    if (!kernelCores()) {
      t.pass('kernel core', { skip: 'core_pattern sends cores elsewhere on this machine' })
      return running.kill()
    }
    const core = await kernelCore(running, folder, 'core.kernel')
    const reading = await checkCore(t, core, running, live, 'kernel core')
    compareWithGdb(t, built, core, reading)
  })
}

t.test('threads alone in their PID namespace', async (t) => {
  const running = await start('unshare', ['-fp', program, '3']).catch(() => null)
  if (!running) return void t.pass('namespace', { skip: 'unshare is not allowed here' })
  const [child] = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8').trim().split(' ')
  const { read } = await readChoice({ kind: 'live', pid: Number(child) }, false)
  t.same(
    binsOf(read).map(([, bins]) => bins),
    truthOf(running.line).map(([, bins]) => bins),
    'in the order of their births, though the tids they know are others',
  )
  t.ok(read.allFound)
  process.kill(Number(child), 'SIGKILL')
  await running.kill()
})

t.test('damage in a core', async (t) => {
  const folder = scratch()
  const running = await start(program, ['4'], { cwd: folder })
  const core = gcore(running.pid, join(folder, 'core.damage'))
  await running.kill()
  const target = openTarget({ kind: 'core', path: core })
  const sound = await readingOf(target)
  const victim = sound.read.threads.find(({ cache }) => cache)!
  const { cache } = victim
  const full = cache!.bins.find(({ chunks }) => chunks === 7)!.index
  const [first, second] = [...cache!.chunks].filter((_, i) => cache!.sizes[i] === 0x20 + 16 * full)
  const head = cache!.address + 0x80n + BigInt(8 * full)
  const readWith = async (words: readonly (readonly [bigint, bigint | null])[]) => {
    const { model, layout } = sound.state
    return readThreads(patched(target, new Map(words)), null, layout, 36, model.arenas)
  }
  const user = (chunk: bigint) => chunk + 16n
  const mangled = (at: bigint, to: bigint) => [at, to ^ (at >> 12n)] as const
  for (const [what, word, kept] of [
    ['a circle', mangled(user(second!), user(first!)), 2],
    ['a link into nothing', mangled(user(first!), 0x4242424240n), 1],
    ['a head into nothing', [head, 0x1234n] as const, 0],
    ['a link that was not saved', [user(first!), null] as const, 1],
    ['a chunk of another size', [first! + 8n, 0x821n] as const, 0],
    ['a list cut short', mangled(user(first!), 0n), 1],
  ] as const) {
    const read = await readWith([word])
    const broken = read.threads.find(({ tid }) => tid === victim.tid)!.cache!
    t.equal(broken.complete, false, what)
    t.equal(
      broken.bins.find(({ index }) => index === full)?.chunks ?? 0,
      kept,
      `${what}: what is before it counts`,
    )
    t.match(read.anomalies, [
      { code: 'tcache-broken', what: new RegExp(`bin ${full} .*thread ${victim.tid}`) },
    ])
    // The test hides the rest of the page as well, and so other bins.
    if (word[1] !== null) t.equal(read.anomalies.length, 1)
    t.same(
      contents(read.caches.slice(1)),
      contents(sound.read.caches.slice(1)),
      'other threads are untouched',
    )
    t.equal(read.allFound, true)
  }
  const tlsAt = (value: bigint) => {
    for (let at = victim.threadPointer! - 0x400n; at < victim.threadPointer!; at += 8n) {
      if (new PageCache(target.memory).word(at, 8) === value) return at
    }
    throw new Error('no such word')
  }
  const lost = await readWith([[tlsAt(cache!.address), 0x5555_0000n]])
  t.match(lost, { allFound: false, anomalies: [{ code: 'tcache-broken' }] }, 'a tcache pointer to nothing')
  const odd = await readWith([[tlsAt(victim.arena!), 0x5555_0000n]])
  t.match(
    odd,
    { allFound: true, anomalies: [{ code: 'thread-arena-broken' }] },
    'a thread_arena that is none',
  )
  t.equal(odd.threads.find(({ tid }) => tid === victim.tid)!.arena, null)

  const zeroed = patched(
    target,
    new Map(sound.read.threads.flatMap(({ threadPointer }) => [[threadPointer!, 0n] as const])),
  )
  const blind = { ...sound, read: await readThreads(zeroed, null, sound.state.layout, 36, []) }
  t.match(blind.read, { allFound: false, how: 'none', caches: [] }, 'stacks that gcore wrote as zeros')
  t.same(contents(byContent(blind).caches), contents(sound.read.caches), 'their caches by content')
})

// One tcache in fake memory: its struct, and chunks side by side.
const HEAP = 0x5555_0000n
function build(
  counts: readonly number[],
  word: 8 | 4,
  tcache: TcacheLayout,
  safe: boolean,
  capacity = 16,
): { at: bigint; bytes: Uint8Array } {
  const bytes = new Uint8Array(0x8_0000)
  const view = new DataView(bytes.buffer)
  const put = (at: number, value: bigint) =>
    word === 8 ? view.setBigUint64(at, value, true) : view.setUint32(at, Number(value), true)
  // User memory is aligned to 16 on both word sizes.
  const user = (chunk: number) => HEAP + BigInt(chunk + 2 * word)
  let chunk = 16 - ((2 * word) % 16 || 16)
  const struct = chunk + 2 * word
  put(chunk + word, BigInt(tcache.chunkSizes[0]! | 1))
  chunk += tcache.chunkSizes[0]!
  for (let bin = 0; bin < tcache.bins; bin++) {
    const count = counts[bin] ?? 0
    const stored = tcache.counts === 'used' ? count : capacity - count
    if (tcache.countBytes === 1) view.setUint8(struct + bin, stored)
    else view.setUint16(struct + 2 * bin, stored, true)
    let next = 0n
    for (let i = 0; i < count; i++) {
      const size = bin < 64 ? 4 * word + 16 * bin : (0x400 << (bin - 64)) + 0x20 + 16 * i
      put(chunk + word, BigInt(size | 5))
      put(chunk + 2 * word, safe ? next ^ (user(chunk) >> 12n) : next)
      next = user(chunk)
      chunk += size
    }
    put(struct + tcache.entries + bin * word, next)
  }
  put(chunk + word, 1n)
  return { at: HEAP + BigInt(struct), bytes }
}

const shapes = ([8, 4] as const).flatMap((word) =>
  tcacheLayouts(null, word).flatMap((tcache) => [true, false].map((safe) => ({ word, tcache, safe }))),
)
const scenes = fc.record({
  shape: fc.constantFrom(...shapes),
  known: fc.boolean(),
  counts: fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 67 }),
})
type Scene = typeof scenes extends fc.Arbitrary<infer S> ? S : never

function readScene({ shape, known, counts }: Scene, change: (bytes: Uint8Array) => void = () => {}) {
  const { word, tcache, safe } = shape
  const { at, bytes } = build(counts, word, tcache, safe)
  change(bytes)
  const layout = { ...layoutOfVersion(36, word), safeLinking: known ? safe : null }
  const memory = memoryOf({ start: HEAP, bytes })
  const context = { memory: new PageCache(memory), layout, isUsedChunk: null }
  return { reading: readTcache(context, address(at), tcache, 7)!, layout, memory, at }
}

function truthOfScene({ shape, counts }: Scene) {
  return counts.slice(0, shape.tcache.bins).flatMap((chunks, index) => (chunks ? [{ index, chunks }] : []))
}

t.test('every layout, both word sizes, both kinds of links', (t) => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const { reading, layout, memory, at } = readScene(scene)
      const truth = truthOfScene(scene)
      t.same(
        reading.cache.bins.map(({ index, chunks }) => ({ index, chunks })),
        truth,
      )
      t.same([reading.anomalies, reading.cache.complete, reading.cache.tid], [[], true, 7])
      const target = { memory } as unknown as Target
      const candidates = BigUint64Array.of(at - BigInt(2 * layout.wordBytes))
      const layouts = tcacheLayouts(null, layout.wordBytes)
      const found = cachesByContent(target, candidates, layout, layouts).caches
      const recognisable = truth.length > 0 || scene.shape.tcache.counts === 'left'
      t.equal(found.length, recognisable ? 1 : 0, 'by content')
    }),
    { numRuns: 150, seed: SEED },
  )
  t.end()
})

t.test('a damaged tcache is incomplete, or was not damaged where it matters', (t) => {
  const place = fc.record({
    at: fc.nat({ max: 0xa000 }),
    value: fc.nat({ max: 255 }),
    run: fc.integer({ min: 1, max: 16 }),
  })
  fc.assert(
    fc.property(scenes, place, (scene, { at, value, run }) => {
      const { cache } = readScene(scene, (bytes) => bytes.fill(value, at, at + run)).reading
      const small = cache.bins.map(({ index, chunks }) => ({ index, chunks }))
      t.ok(!cache.complete || JSON.stringify(small) === JSON.stringify(truthOfScene(scene)))
    }),
    { numRuns: 400, seed: SEED },
  )
  t.end()
})

t.test('layouts by version and by debug information', (t) => {
  const entries = (minor: number | null, word: 8 | 4) =>
    tcacheLayouts(minor, word).map((layout) => layout.entries)
  t.same(entries(25, 8), [])
  t.same(entries(28, 8), [0x40, 0x98, 0x80])
  t.same(entries(36, 8), [0x80, 0x98, 0x40])
  t.same(entries(44, 8), [0x98, 0x80, 0x40])
  t.same(entries(null, 4), [0x98, 0x80, 0x40])
  // Sizes of the struct and of its chunk as seen in glibc 2.26 … 2.44.
  t.same(
    ([8, 4] as const).map((word) => tcacheLayouts(null, word).map((l) => [l.sizeBytes, l.chunkSizes[0]])),
    [
      [
        [0x2f8, 0x300],
        [0x280, 0x290],
        [0x240, 0x250],
      ],
      [
        [0x1c8, 0x1d0],
        [0x180, 0x190],
        [0x140, 0x150],
      ],
    ],
  )
  const struct = (sizeBytes: number, at: number) => ({ sizeBytes, offsets: new Map([['entries', at]]) })
  t.equal(tcacheLayoutOfStruct(struct(0x280, 0x80), 8)?.countBytes, 2)
  t.equal(tcacheLayoutOfStruct(struct(0x999, 0x80), 8), null)
  t.equal(tcacheLayoutOfStruct(undefined, 8), null)
  t.end()
})

t.test('control blocks are found around pages that cannot be read', (t) => {
  const start = 0x7000_0000n
  const bytes = new Uint8Array(0x3_0000)
  const view = new DataView(bytes.buffer)
  for (const at of [0x40, 0xfff0, 0x1_8700, 0x2_ffe0]) {
    for (const member of [0, 16])
      if (at + member + 8 <= bytes.length) view.setBigUint64(at + member, start + BigInt(at), true)
    if (at + 16 <= bytes.length) view.setBigUint64(at + 8, 1n, true)
  }
  const guard = { start: start + 0x3_0000n + 0x2000n, bytes: bytes.subarray(0, 0x1000) }
  const memory = memoryOf({ start, bytes }, guard)
  const found = tcbsIn(memory, address(start), address(start + 0x4_0000n), 8)
  t.same(
    found,
    [0x40n, 0xfff0n, 0x1_8700n, 0x2_ffe0n].map((at) => start + at),
  )
  t.same(tcbsIn(memory, address(start + 0x1000n), address(start + 0x4_0000n), 8, 1), [start + 0xfff0n])
  t.end()
})
