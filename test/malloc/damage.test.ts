// Damaged malloc structures: anomalies with their place and partial answers, never an exception or an invented number.
import { join } from 'node:path'
import t from 'tap'
import { ChunkIndex } from '../../src/malloc/chunks/chunk-index.js'
import { CHUNK_STATES, listChunks } from '../../src/malloc/chunks/list-chunks.js'
import { type MallocState, readHeapModel } from '../../src/malloc/read-heap-model.js'
import { type Address, address, hex } from '../../src/memory/address.js'
import { MemoryFault } from '../../src/memory/memory-fault.js'
import { openTarget } from '../../src/target/open.js'
import type { Target } from '../../src/target/target.js'
import { patched } from '../fakes/memory.js'
import { compile, gcore, scratch, start } from '../support/programs.js'

const folder = scratch()
const running = await start(compile('test/programs/heap-shapes.c'), ['arenas', join(folder, 'out')], {
  cwd: folder,
})
const path = gcore(running.pid, join(folder, 'core.damage'))
await running.kill()
const target = openTarget({ kind: 'core', path })
const sound = (await readHeapModel(target, null))!
const { arenas } = sound.model
const { layout } = sound
const SEED = Number(process.env.SEED ?? 20_261_128)
t.comment(`SEED=${SEED}`)

const readState = async (words: readonly (readonly [bigint, bigint | null])[]) => {
  const spoiled = patched(target, new Map(words))
  return { ...(await readHeapModel(spoiled, null))!, target: spoiled }
}
const read = async (words: readonly (readonly [bigint, bigint | null])[]) =>
  (await readHeapModel(patched(target, new Map(words)), null))?.model ?? null

t.test('the sound core', async (t) => {
  t.equal(arenas.length, 13)
  t.same(sound.model.anomalies, [])
  t.ok(arenas.every(({ complete }) => complete))
})

t.test('a chunk with an impossible size', async (t) => {
  const arena = arenas[5]!
  const chunks = chunksOf(target, sound, 5)
  const second = chunks[1]!.address
  const state = await readState([[second + 8n, 0x4141414141414141n]])
  const { model } = state
  const damaged = model.arenas[5]!
  t.equal(damaged.complete, false)
  t.match(model.anomalies, [
    { at: second, code: 'walk-stopped' },
    { at: arena.address, code: 'partly-walked' },
  ])
  const [place, share] = model.anomalies
  const cause = `size field is ASCII \`AAAAAAAA\` (probably an overflow from the chunk before, ${hex(chunks[0]!.address)})`
  t.ok(place!.what.includes(cause), place!.what)
  t.ok(place!.what.includes(`chunks go on at ${hex(chunks[2]!.address)}`), place!.what)
  t.match(share!.what, /: 9\d\.\d % of its heaps was walked, .* could not be told/)
  t.equal(damaged.skippedBytes, chunks[1]!.size, 'no more than the damaged chunk is lost')
  t.equal(damaged.inUseBytes, arena.inUseBytes, "glibc's own lists still tell what is free")
  t.match(damaged, { liveBytes: null, usedChunks: null, sizes: null }, 'what cannot be known is not told')
  t.same(model.arenas[4], arenas[4], 'other arenas are untouched')
  const left = chunksOf(state.target, state, 5)
  t.same(
    left.map(({ address }) => address),
    chunks.map(({ address }) => address).filter((address) => address !== second),
    'all other chunks are listed',
  )
  const index = new ChunkIndex(state.target.memory, layout, model.arenas, true)
  const last = chunks.at(-2)!.address
  t.match(index.chunksIn(last, address(last + 1n)), [{ address: last, arenaIndex: 5 }])
})

t.test('top moved on and back while its arena was read: read again', async (t) => {
  const { top, topBytes } = arenas[5]!
  const words = new Map([[top! + 8n, BigInt(topBytes! - 4096) | 1n]])
  const progress = (done: number) => {
    if (done === 5) words.clear()
  }
  const moving = await readHeapModel(patched(target, words), null, { still: false, progress })
  t.equal(words.size, 0, 'it was read with the other size first')
  t.same(moving!.model.arenas[5], arenas[5], 'not the size that top had for a moment')
  t.same(moving!.model.anomalies, [])

  const { model } = await readState([[top! + 8n, BigInt(topBytes! - 4096) | 1n]])
  t.match(model.anomalies, [{ at: top, code: 'top-broken' }], 'in a core it is damage')
  t.equal(model.arenas[5]!.complete, false)
})

t.test('what wrote over a size field', async (t) => {
  const chunks = chunksOf(target, sound, 5)
  const { address: at } = chunks[40]!
  for (const [value, says] of [
    [0x0000_0042_4242_4242n, /ASCII `BBBBB` \(probably an overflow from the chunk before, 0x/],
    [0n, /field is 0 \(zeroed/],
    [2n ** 64n - 1n, /8 bytes of 0xff \(a fill pattern/],
    [0xa5a5a5a5a5a5a5a5n, /8 bytes of 0xa5 \(a fill pattern/],
    [0x7f00_0000_0001n, /0x7f0000000001 \(larger than what is left of its heap\), expected a multiple of 16/],
    [0x25n, /chunk's own size is wrong|prev_size|0x[0-9a-f]+ \(/],
    [0x2dn, /0x2d \(not aligned\)/],
  ] as const) {
    const { model } = await readState([[at + 8n, value]])
    const found = model.anomalies.find(({ code }) => code === 'walk-stopped')
    if (value === 0x25n && !found) continue
    t.match(found?.what, says)
    t.ok(found!.at === at || value === 0x25n)
    t.ok(model.arenas[5]!.skippedBytes! < 4096, `${model.arenas[5]!.skippedBytes} bytes skipped`)
  }
})

t.test('a size that is possible but wrong', async (t) => {
  const chunks = chunksOf(target, sound, 5)
  const used = chunks.findIndex(({ state }, index) => index > 20 && state === 'live')
  const { address: at, size } = chunks[used]!
  const { model } = await readState([[at + 8n, BigInt(size + 0x2230) | 5n]])
  const arena = model.arenas[5]!
  t.equal(arena.complete, false)
  t.ok(arena.skippedBytes! > 0)
  t.equal(arena.inUseBytes, arenas[5]!.inUseBytes)
})

t.test('pages that were not saved', async (t) => {
  const chunks = chunksOf(target, sound, 5)
  const { address: at } = chunks[100]!
  const page = (at + 0xfffn) & ~0xfffn
  const gone = Array.from({ length: 512 }, (_, k) => [page + BigInt(8 * k), null] as const)
  const state = await readState(gone)
  const arena = state.model.arenas[5]!
  const found = state.model.anomalies.find(({ code }) => code === 'walk-stopped')!
  t.match(
    found.what,
    /its header cannot be read: 0x[0-9a-f]+ not saved in the core file; \d+ bytes skipped, chunks go on at 0x/,
  )
  t.ok(
    arena.skippedBytes! >= 4096 - 2048 && arena.skippedBytes! < 8192 + 2048,
    `${arena.skippedBytes} bytes skipped`,
  )
  t.equal(arena.liveBytes, null)
  const left = new Set(chunksOf(state.target, state, 5).map((chunk) => chunk.address))
  const behind = chunks.filter((chunk) => chunk.address >= page + 8192n)
  t.ok(
    behind.length > 0 && behind.every((chunk) => left.has(chunk.address)),
    'all chunks behind the page are listed',
  )
})

t.test('the main heap', async (t) => {
  const chunks = chunksOf(target, sound, 0)
  const damaged = chunks[Math.floor(chunks.length / 2)]!
  const state = await readState([[damaged.address + 8n, 0x4141414141414141n]])
  t.match(state.model.anomalies, [{ at: damaged.address, code: 'walk-stopped' }, { code: 'partly-walked' }])
  t.equal(state.model.arenas[0]!.skippedBytes, damaged.size)
  t.equal(state.model.arenas[0]!.inUseBytes, arenas[0]!.inUseBytes)
  t.equal(chunksOf(state.target, state, 0).length, chunks.length - 1)
})

t.test('the ring', async (t) => {
  const next = arenas[6]!.address + BigInt(layout.arena.next)
  for (const [what, value] of [
    ['a circle that leaves main_arena out', arenas[2]!.address],
    ['a pointer into nothing', 0x4242424242424240n],
    ['null', 0n],
  ] as const) {
    const model = (await read([[next, value]]))!
    t.same(model.arenas, arenas, `${what}: those behind the break are found by their heaps`)
    t.equal(model.ringClosed, false)
    t.same(model.totals, sound.model.totals, 'they lead to main_arena: nothing is missing')
    t.match(model.anomalies, [{ code: 'ring-broken', what: /6 more arenas were found by their heaps/ }])
  }
})

t.test('a closed ring that skips arenas', async (t) => {
  const next = BigInt(layout.arena.next)
  for (const [from, to] of [
    [3, 5],
    [2, 9],
    [0, 12],
    [9, 0],
    [0, 0],
  ] as const) {
    const model = (await read([[arenas[from]!.address + next, arenas[to]!.address]]))!
    const what = `${from} leads to ${to}`
    t.same(model.arenas, arenas, `${what}: all arenas are told, in their order`)
    t.same(model.totals, sound.model.totals, `${what}: the totals are whole`)
    t.match(model.anomalies, [{ at: arenas[from]!.address, code: 'ring-skips-arena' }], what)
    t.equal(model.anomalies.length, 1)
    t.ok(model.anomalies[0]!.what.includes(hex(arenas[from + 1]!.address)), model.anomalies[0]!.what)
  }
  const twice = (await read([
    [arenas[1]!.address + next, arenas[4]!.address],
    [arenas[6]!.address + next, arenas[8]!.address],
  ]))!
  t.same(twice.arenas, arenas)
  t.match(twice.anomalies, [{ code: 'ring-skips-arena' }, { code: 'ring-skips-arena' }])
})

t.test('what only looks like a skipped arena is none', async (t) => {
  const skipping = [arenas[3]!.address + BigInt(layout.arena.next), arenas[5]!.address as bigint] as const
  const lost = arenas[4]!
  const next = lost.address + BigInt(layout.arena.next)
  for (const [what, words] of [
    ['it leads nowhere, as one that is being made', [[next, 0n]]],
    ['it leads to another main_arena', [[next, lost.address + 0x100n]]],
    ['its heap names another arena', [[lost.heaps[0]!.address, lost.address + 0x10n]]],
    ['top is in no heap of its own', [[lost.address + BigInt(layout.arena.top), arenas[5]!.top!]]],
  ] as const) {
    const model = (await read([skipping, ...words]))!
    t.equal(model.arenas.length, arenas.length - 1, what)
    t.notOk(model.arenas.some(({ address }) => address === lost.address))
    t.notOk(model.anomalies.some(({ code }) => code === 'ring-skips-arena'))
  }
})

t.test('tcaches that cannot be read', async (t) => {
  const victim = sound.model.threads.findLast(({ cache }) => cache !== null)!
  const cache = victim.cache!
  const entries = Array.from(
    { length: 80 },
    (_, k) => [cache.address + BigInt(8 * k), 0x4141414141414141n] as const,
  )
  const damaged = (await read(entries))!
  t.ok(damaged.anomalies.some(({ code }) => code === 'tcache-broken'))
  t.match(damaged.notes, [/^a tcache is damaged .* count as live, not as tcache$/])
  const gone = without(target, (at) => at >> 12n === victim.threadPointer! >> 12n, true)
  const told = (await readHeapModel(gone, null))!.model
  t.same(told.totals, sound.model.totals, 'what its thread cannot tell the content does')
  t.match(told.notes, [/^the tcache of one thread could not be reached .* 1 found: .* take for granted/])
  const both = (await readHeapModel(patched(gone, new Map(entries)), null))!.model
  t.match(both.notes, [/0 found/], 'and it is said where it does not')
  const offset = await variableOf(victim.threadPointer!, cache.address)
  const lost = (await read([...entries, [victim.threadPointer! - BigInt(offset), 0x4141414141414140n]]))!
  t.match(lost.totals, { liveBytes: null, tcacheBytes: null, inUseBytes: sound.model.totals.inUseBytes })
})

/** How far below the thread pointer libc's variable tcache lies. */
async function variableOf(pointer: bigint, cache: bigint): Promise<number> {
  const view = new DataView(new ArrayBuffer(8))
  for (let at = 8; at < 0x400; at += 8) {
    target.memory.read(address(pointer - BigInt(at)), new Uint8Array(view.buffer))
    if (view.getBigUint64(0, true) === cache) return at
  }
  throw new Error('the thread has no pointer to its tcache')
}

t.test('a main heap in pieces', async (t) => {
  const folder = scratch()
  const program = compile('test/programs/heap-shapes.c')
  const running = await start(program, ['noncontiguous', join(folder, 'out')], { cwd: folder })
  const core = openTarget({ kind: 'core', path: gcore(running.pid, join(folder, 'core.pieces')) })
  await running.kill()
  const whole = (await readHeapModel(core, null))!
  const places = whole.model.arenas[0]!.heaps
  t.ok(places.length > 3)
  const chunks = chunksOf(core, whole, 0)
  const inPiece = (k: number) => {
    const { address: start, sizeBytes } = places[k]!
    const own = chunks.filter(
      ({ address: at, state }) => state === 'live' && at >= start && at < start + BigInt(sizeBytes),
    )
    return own[own.length >> 1]!
  }
  for (const pieces of [[0], [1], [places.length - 1], [0, 1, 2, places.length - 1]]) {
    const hit = pieces.map(inPiece)
    const words = hit.map(({ address: at }) => [at + 8n, 0x4141414141414141n] as const)
    const spoiled = patched(core, new Map(words))
    const state = (await readHeapModel(spoiled, null))!
    const [main] = state.model.arenas
    const what = `damage in ${pieces.join(', ')} of ${places.length}`
    t.same(main!.heaps, places, `${what}: all pieces are told`)
    t.equal(
      main!.skippedBytes,
      hit.reduce((sum, { size }) => sum + size, 0),
      `${what}: no more is lost`,
    )
    t.equal(main!.inUseBytes, whole.model.arenas[0]!.inUseBytes, what)
    t.match(state.model.anomalies.at(-1), {
      code: 'partly-walked',
      what: /9\d\.\d % of its heaps was walked/,
    })
    t.same(
      state.model.anomalies.filter(({ code }) => code === 'walk-stopped').map(({ at }) => at),
      hit.map(({ address }) => address),
    )
    const lost = new Set<bigint>(hit.map(({ address }) => address))
    t.same(
      chunksOf(spoiled, state, 0).map(({ address }) => address),
      chunks.map(({ address }) => address).filter((at) => !lost.has(at)),
      `${what}: all other chunks are listed`,
    )
  }
  core.close()
})

t.test('a ring broken twice', async (t) => {
  const next = BigInt(layout.arena.next)
  const model = (await read([
    [arenas[3]!.address + next, 0n],
    [arenas[6]!.address + next, 0x4141414141414141n],
  ]))!
  const addresses = (list: typeof arenas) => list.map(({ address }) => address).sort()
  t.same(addresses(model.arenas), addresses(arenas), 'all are found')
  t.equal(model.totals.systemBytes, null, 'but that is not known')
  t.match(model.anomalies, [{ code: 'ring-broken', what: /9 more arenas .* there may be others/ }])
})

t.test("libc's data not saved", async (t) => {
  const { start, end } = target.regions().find((region) => {
    const main = arenas[0]!.address
    return region.start <= main && main < region.end
  })!
  for (const version of ['known', 'unknown'] as const) {
    const gone = without(target, (at) => at >= start && at < end, version === 'known')
    const state = (await readHeapModel(gone, null))!
    const { model } = state
    t.equal(model.glibc.mainArena, arenas[0]!.address, `version ${version}: where main_arena is`)
    t.match(model.arenas[0], { systemBytes: null, inUseBytes: null, complete: false })
    t.equal(model.totals.systemBytes, null)
    t.ok(model.anomalies.some(({ code }) => code === 'main-arena-unreadable'))
    const figures = (list: typeof arenas) =>
      list.slice(1).map(({ address, systemBytes, inUseBytes, freeChunks }) => ({
        address,
        systemBytes,
        inUseBytes,
        freeChunks,
      }))
    t.same(figures(model.arenas), figures(arenas), 'the other arenas are as they were')
  }
})

t.test('top, system_mem and heap_info', async (t) => {
  const arena = arenas[3]!
  const top = (await read([[arena.address + BigInt(layout.arena.top), 0x1234560n]]))!
  t.match(top.arenas[3], { complete: false, inUseBytes: null, freeBytes: null })
  t.ok(top.anomalies.some(({ code }) => code === 'heap-chain-broken'))
  t.equal(top.totals.inUseBytes, null, 'a total with an unknown part is unknown')
  const tiny = (await read([[arena.address + BigInt(layout.arena.systemMem), 0x1000n]]))!
  t.ok(tiny.anomalies.some(({ code }) => code === 'system-bytes-differ'))
  t.equal(tiny.arenas[3]!.complete, false)
  const heap = (await read([[arena.heaps[0]!.address + BigInt(layout.heapInfo.size), 0x7fffffff_ffff0000n]]))!
  t.ok(heap.anomalies.some(({ code }) => code === 'heap-chain-broken'))
  const page = Array.from({ length: 512 }, (_, k) => [arena.heaps[0]!.address + BigInt(8 * k), null] as const)
  const gone = (await read(page))!
  t.equal(gone.arenas.length, 12, 'all but the arena whose page is missing')
  t.ok(gone.arenas.every(({ address }) => address !== arena.address))
  t.equal(gone.totals.systemBytes, null, 'one is missing: there is no total')
})

t.test('random words anywhere in the structures', async (t) => {
  let seed = SEED
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const values = [0n, 1n, 0x10n, 0x21n, 0x4141414141414141n, 2n ** 64n - 1n, 2n ** 63n, 0x7fffffffffff000n]
  let reported = 0
  for (let round = 0; round < 300; round++) {
    const words = Array.from({ length: 1 + random(3) }, () => {
      const arena = arenas[random(arenas.length)]!
      const inside = random(3)
      const at =
        inside === 0
          ? arena.address + BigInt(8 * random(layout.arena.sizeBytes / 8))
          : inside === 1
            ? arena.heaps[0]!.address + BigInt(8 * random(6))
            : arena.heaps[0]!.address + BigInt(16 * random(0x4000) + 8)
      const pointer = arenas[random(arenas.length)]!.address + BigInt(random(0x1000))
      return [
        at,
        random(4) === 0 ? pointer : random(8) === 0 ? null : values[random(values.length)]!,
      ] as const
    })
    const model = await read(words)
    if (!model) continue
    reported++
    for (const arena of model.arenas) {
      if (arena.systemBytes === null) continue
      for (const value of [arena.inUseBytes, arena.freeBytes, arena.fastbinBytes, arena.binnedBytes]) {
        if (value === null || (value >= 0 && value <= arena.systemBytes)) continue
        t.fail(`round ${round}: ${value} of ${arena.systemBytes} bytes`)
      }
      if (arena.inUseBytes !== null && arena.inUseBytes + arena.freeBytes! !== arena.systemBytes) {
        t.fail(`round ${round}: in use and free are not the whole`)
      }
    }
  }
  t.ok(reported > 100, `${reported} of 300 damaged heaps could be told`)
})

/** `of` without the bytes for which `isGone`, page by page; `named` false: without paths of files too. */
function without(of: Target, isGone: (at: bigint) => boolean, named: boolean): Target {
  const memory = {
    read(at: Address, into: Uint8Array): number {
      for (let page: bigint = at; page < at + BigInt(into.length); page = (page | 0xfffn) + 1n) {
        if (isGone(page)) return page === at ? 0 : of.memory.read(at, into.subarray(0, Number(page - at)))
      }
      return of.memory.read(at, into)
    },
    fault: (at: Address) => new MemoryFault(at, 'unsaved'),
  }
  return new Proxy(of, {
    get: (real, name) => {
      if (name === 'memory') return memory
      if (!named && name === 'modules') return () => []
      const value = Reflect.get(real, name, real) as unknown
      return typeof value === 'function' ? (value.bind(real) as unknown) : value
    },
  })
}

interface ListedChunk {
  readonly address: Address
  readonly size: number
  readonly state: string
}

function chunksOf(of: Target, state: MallocState, arena: number): ListedChunk[] {
  const chunks: ListedChunk[] = []
  for (const batch of listChunks(of.memory, state.layout, state.model, { arena })) {
    for (let row = 0; row < batch.count; row++) {
      const state = CHUNK_STATES[batch.states[row]!]!
      chunks.push({ address: address(batch.addresses[row]!), size: batch.sizes[row]!, state })
    }
  }
  return chunks
}
