// Damaged malloc structures: anomalies with their place and partial answers, never an exception or an invented number.
import { join } from 'node:path'
import t from 'tap'
import { readHeapModel } from '../../src/malloc/read-heap-model.js'
import { address } from '../../src/memory/address.js'
import { readWord } from '../../src/memory/memory-source.js'
import { openTarget } from '../../src/target/open.js'
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
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31)
t.comment(`SEED=${SEED}`)

const read = async (words: readonly (readonly [bigint, bigint | null])[]) =>
  (await readHeapModel(patched(target, new Map(words)), null))?.model ?? null

t.test('the sound core', async (t) => {
  t.equal(arenas.length, 13)
  t.same(sound.model.anomalies, [])
  t.ok(arenas.every(({ complete }) => complete))
})

t.test('a chunk with an impossible size', async (t) => {
  const arena = arenas[5]!
  const second =
    arena.heaps[0]!.address + 0x8d0n + (BigInt(await sizeAt(arena.heaps[0]!.address + 0x8d0n)) & ~7n)
  const model = (await read([[second + 8n, 0x4141414141414141n]]))!
  const damaged = model.arenas[5]!
  t.equal(damaged.complete, false)
  t.match(model.anomalies, [{ at: second, code: 'walk-stopped' }])
  t.equal(damaged.inUseBytes, arena.inUseBytes, "glibc's own lists still tell what is free")
  t.same(model.arenas[4], arenas[4], 'other arenas are untouched')
})

t.test('the ring', async (t) => {
  const next = arenas[6]!.address + BigInt(layout.arena.next)
  for (const [what, value] of [
    ['a circle that leaves main_arena out', arenas[2]!.address],
    ['a pointer into nothing', 0x4242424242424240n],
    ['null', 0n],
  ] as const) {
    const model = (await read([[next, value]]))!
    t.same(model.arenas, arenas.slice(0, 7), `${what}: the arenas before the break`)
    t.equal(model.ringClosed, false)
    t.equal(model.totals.systemBytes, null, 'a total without the arenas behind it is unknown')
    t.match(model.anomalies, [{ code: 'ring-broken' }])
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
  const gone = (await read([[arena.heaps[0]!.address, null]]))!
  t.equal(gone.arenas.length, 3, 'the ring ends before an arena whose page is missing')
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
      if (arena.inUseBytes !== null) t.equal(arena.inUseBytes + arena.freeBytes!, arena.systemBytes)
    }
  }
  t.ok(reported > 100, `${reported} of 300 damaged heaps could be told`)
})

async function sizeAt(chunk: bigint): Promise<bigint> {
  return readWord(target.memory, address(chunk + 8n), 8)
}
