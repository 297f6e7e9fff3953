// The linear walk and the free lists over images built in memory: what was built comes back.
import fc from 'fast-check'
import t from 'tap'
import { walkMainHeap } from '../../src/malloc/arenas/main-heap.js'
import { walkBins, walkFastbins } from '../../src/malloc/chunks/bins.js'
import type { Segment } from '../../src/malloc/chunks/segment.js'
import { Tally } from '../../src/malloc/chunks/tally.js'
import { type ChunkKind, walkSegment } from '../../src/malloc/chunks/walk.js'
import { walkDamaged } from '../../src/malloc/damage/walk-damaged.js'
import { layoutOfVersion } from '../../src/malloc/layout.js'
import { address } from '../../src/memory/address.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import { PageCache } from '../../src/memory/page-cache.js'
import { memoryOf } from '../fakes/memory.js'

const BASE = 0x7f0000000000n
const SEED = Number(process.env.SEED ?? 20_261_128)
t.comment(`SEED=${SEED}`)

interface Image {
  readonly bytes: Uint8Array
  readonly segment: Segment
  readonly sizes: readonly number[]
}

type Ending = 'top' | 'fencepost' | 'short fencepost'

/** A heap of chunks; `free[i]` says whether chunk i is free (never two free ones in a row, as in malloc). */
function image(units: readonly number[], free: readonly boolean[], ending: Ending, word: 8 | 4): Image {
  const align = 16
  const first = word === 8 ? 0x30 : 0x18
  const sizes = units.map((unit) => (unit + (word === 8 ? 1 : 0)) * align)
  // sysmalloc's short fence takes what was left of the old top: 16 bytes more on 64 bit, none on 32 bit.
  const short = word === 8 ? align : 0
  const closing = ending === 'top' ? 0x1000 : ending === 'fencepost' ? 4 * word : 4 * word + short
  const length = first + sizes.reduce((sum, size) => sum + size, 0) + closing
  const bytes = new Uint8Array(length + 64)
  const view = new DataView(bytes.buffer)
  const put = (at: number, value: number) =>
    word === 8 ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true)
  let at = first
  let previousFree = false
  sizes.forEach((size, index) => {
    put(at + word, size | (previousFree ? 0 : 1) | (free[index] ? 0 : 4))
    if (previousFree) put(at, sizes[index - 1]!)
    previousFree = free[index]!
    at += size
  })
  const top = ending === 'top' ? at : -1
  const flag = previousFree ? 0 : 1
  if (previousFree) put(at, sizes.at(-1)!)
  if (ending === 'top') put(at + word, 0x1000 | flag)
  else {
    const fence = ending === 'fencepost' ? 2 * word : 2 * word + short
    put(at + word, fence | flag)
    put(at + fence + word, 1)
  }
  return { bytes, segment: { origin: address(BASE), first, end: length, top, isMain: false }, sizes }
}

const heaps = fc.record({
  units: fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 120 }),
  bits: fc.infiniteStream(fc.boolean()),
  ending: fc.constantFrom<Ending>('top', 'fencepost', 'short fencepost'),
  word: fc.constantFrom<8 | 4>(8, 4),
})

t.test('random heaps walk back to what was built', async (t) => {
  fc.assert(
    fc.property(heaps, ({ units, bits, ending, word }) => {
      const free: boolean[] = []
      for (const bit of units.map(() => bits.next().value as boolean)) free.push(bit && !free.at(-1))
      const { bytes, segment, sizes } = image(units, free, ending, word)
      const memory = memoryOf({ start: BASE, bytes })
      const seen: string[] = []
      const tally = new Tally()
      const visit = (at: number, size: number, kind: ChunkKind) => {
        seen.push(`${at} ${size} ${kind}`)
        return false
      }
      const walk = walkSegment(memory, segment, word, 16, { tally, visit })
      const expected: string[] = []
      let at = segment.first
      sizes.forEach((size, index) => {
        expected.push(`${at} ${size} ${free[index] ? 'free' : 'used'}`)
        at += size
      })
      t.same(seen.slice(0, sizes.length), expected)
      t.same(
        seen.slice(sizes.length).map((line) => line.split(' ')[2]),
        ending === 'top' ? ['top'] : ['fencepost', 'fencepost'],
      )
      t.equal(walk.ended, ending === 'top' ? 'top' : 'fencepost')
      t.equal(tally.freeChunks, free.filter(Boolean).length)
      t.equal(tally.usedChunks, free.filter((one) => !one).length)
      t.equal(
        tally.freeBytes,
        sizes.reduce((sum, size, index) => sum + (free[index] ? size : 0), 0),
      )
      t.equal(tally.topBytes, ending === 'top' ? 0x1000 : 0)
      const all = tally.usedBytes + tally.freeBytes + tally.topBytes + tally.fenceBytes
      t.equal(segment.first + all, segment.end, 'every byte is counted')
    }),
    { seed: SEED, numRuns: 60 },
  )
})

t.test('around a spoiled header all other chunks are told, and nothing else', async (t) => {
  const spoiled = fc.record({
    heap: heaps,
    which: fc.nat(),
    value: fc.constantFrom(0n, 2n, 0x2dn, 0x4141414141414141n, 2n ** 64n - 1n, 0x7ffffff1n),
  })
  fc.assert(
    fc.property(spoiled, ({ heap: { units, bits, ending, word }, which, value }) => {
      const free: boolean[] = []
      for (const bit of units.map(() => bits.next().value as boolean)) free.push(bit && !free.at(-1))
      const { bytes, segment, sizes } = image(units, free, ending, word)
      const index = which % sizes.length
      const bad = segment.first + sizes.slice(0, index).reduce((sum, size) => sum + size, 0)
      const view = new DataView(bytes.buffer)
      if (word === 8) view.setBigUint64(bad + 8, value, true)
      else view.setUint32(bad + 4, Number(value & 0xffffffffn), true)
      const memory = new PageCache(memoryOf({ start: BASE, bytes }))
      const seen: number[] = []
      const visit = (at: number) => {
        seen.push(at)
        return false
      }
      const layout = layoutOfVersion(36, word)
      const walk = walkDamaged(memory, segment, layout, new BigUint64Array(), { visit })
      const expected: number[] = []
      let at = segment.first
      for (const size of sizes) {
        expected.push(at)
        at += size
      }
      const told = new Set(seen)
      // The chunk before can go too: whether it is free is told by the spoiled header.
      const lost = expected.filter((chunk) => !told.has(chunk))
      const allowed = expected.slice(Math.max(0, index - 1), index + 1)
      t.ok(
        lost.every((chunk) => allowed.includes(chunk)),
        `chunks ${lost} are lost at ${bad}`,
      )
      t.ok(
        seen.every((chunk) => expected.includes(chunk) || chunk >= at),
        'no chunk is invented',
      )
      t.ok(walk.gaps.length <= 1 && walk.skippedBytes <= segment.end - bad + (sizes[index - 1] ?? 0))
    }),
    { seed: SEED, numRuns: 100 },
  )
})

t.test('a chunk beyond 4 GiB', async (t) => {
  const bytes = new Uint8Array(0x100)
  const view = new DataView(bytes.buffer)
  const size = 0x1_4000_0000
  view.setBigUint64(8, BigInt(size) | 1n, true)
  const far = new Uint8Array(0x40)
  new DataView(far.buffer).setBigUint64(8, 0x30n, true)
  const memory = memoryOf({ start: BASE, bytes }, { start: BASE + BigInt(size), bytes: far })
  const segment = { origin: address(BASE), first: 0, end: size + 0x30, top: size, isMain: true }
  const tally = new Tally()
  const walk = walkSegment(memory, segment, 8, 16, { tally })
  t.equal(walk.ended, 'top')
  t.match(tally, { freeChunks: 1, freeBytes: size, largestFreeBytes: size, topBytes: 0x30 })
})

t.test('damage ends the walk where it is', async (t) => {
  const { bytes, segment, sizes } = image([4, 4, 4], [false, true, false], 'top', 8)
  const third = segment.first + sizes[0]! + sizes[1]!
  const put = (value: bigint) => {
    const copy = bytes.slice()
    new DataView(copy.buffer).setBigUint64(third + 8, value, true)
    return walkSegment(memoryOf({ start: BASE, bytes: copy }), segment, 8, 16)
  }
  for (const bad of [0n, 0x10n, 0x4141414141414141n, 0x23n, 0x28n, 0xfffffffffffffff1n]) {
    t.match(put(bad), { ended: 'size', stoppedAt: third }, `size word 0x${bad.toString(16)}`)
  }
  const cut = walkSegment(memoryOf({ start: BASE, bytes: bytes.slice(0, third + 4) }), segment, 8, 16)
  t.match(cut, { ended: 'unreadable', stoppedAt: third })
})

t.test('fastbin links, plain and safe-linked, are told apart by version or by themselves', async (t) => {
  for (const [minor, mangled] of [
    [31, false],
    [36, true],
  ] as const) {
    const layout = layoutOfVersion(minor, 8)
    const bytes = new Uint8Array(0x2000)
    const view = new DataView(bytes.buffer)
    const chunks = [0x1000n, 0x1100n, 0x1040n]
    view.setBigUint64(layout.arena.fastbins! + 8, BASE + chunks[0]!, true)
    chunks.forEach((chunk, index) => {
      const next = chunks[index + 1] === undefined ? 0n : BASE + chunks[index + 1]!
      const link = BASE + chunk + 16n
      view.setBigUint64(Number(chunk) + 8, 0x31n, true)
      view.setBigUint64(Number(chunk) + 16, mangled ? next ^ (link >> 12n) : next, true)
    })
    const memory = () => new PageCache(memoryOf({ start: BASE, bytes }))
    for (const safeLinking of [mangled, null]) {
      const sum = walkFastbins(memory(), address(BASE), { ...layout, safeLinking }, 0x1000)
      t.match(
        sum,
        { chunks: 3, bytes: 0x90, damage: null, bins: [{ kind: 'fast', index: 1, chunks: 3 }] },
        `2.${minor}, known: ${safeLinking !== null}`,
      )
    }
    view.setBigUint64(0x1100 + 8, 0x51n, true)
    const broken = walkFastbins(memory(), address(BASE), layout, 0x1000)
    t.match(broken, { chunks: 1, damage: { code: 'fastbin-broken', at: BASE + 0x1100n } })
    view.setBigUint64(0x1100 + 8, 0x31n, true)
    const circle = BASE + 0x1000n
    view.setBigUint64(0x1040 + 16, mangled ? circle ^ ((BASE + 0x1050n) >> 12n) : circle, true)
    t.match(
      walkFastbins(memory(), address(BASE), layout, 0x1000),
      { damage: { code: 'fastbin-broken' } },
      'a circle ends',
    )
  }
})

t.test('bins are followed and checked', async (t) => {
  const layout = layoutOfVersion(36, 8)
  const bytes = new Uint8Array(0x2000)
  const view = new DataView(bytes.buffer)
  const header = (bin: number) => BASE + BigInt(layout.arena.bins + 16 * (bin - 1) - 16)
  for (let bin = 1; bin <= 127; bin++) {
    const at = Number(header(bin) - BASE)
    view.setBigUint64(at + 16, header(bin), true)
    view.setBigUint64(at + 24, header(bin), true)
  }
  const chain = [header(70), BASE + 0x1000n, BASE + 0x1400n, header(70)]
  for (let i = 0; i + 1 < chain.length; i++) {
    view.setBigUint64(Number(chain[i]! - BASE) + 16, chain[i + 1]!, true)
    view.setBigUint64(Number(chain[i + 1]! - BASE) + 24, chain[i]!, true)
  }
  view.setBigUint64(0x1008, 0x401n, true)
  view.setBigUint64(0x1408, 0x421n, true)
  const walk = () => walkBins(new PageCache(memoryOf({ start: BASE, bytes })), address(BASE), layout, 0x10000)
  t.match(walk(), {
    chunks: 2,
    bytes: 0x820,
    damage: null,
    bins: [{ kind: 'large', index: 70, largestBytes: 0x420 }],
  })
  view.setBigUint64(0x1418, BASE + 0x1234n, true)
  t.match(walk(), { chunks: 1, damage: { code: 'bin-broken', at: BASE + 0x1400n } })
  view.setBigUint64(0x1010, 0x1000n, true)
  t.match(walk(), { damage: { code: 'bin-broken' } }, 'a pointer into nothing')
})

t.test('pieces of the main heap are not looked for without end in what cannot be read', async (t) => {
  const nothing = memoryOf()
  let reads = 0
  const memory: MemorySource = {
    read: (at, into) => {
      reads++
      return nothing.read(at, into)
    },
    fault: (at) => nothing.fault(at),
  }
  const stretch = { start: address(BASE), sizeBytes: 2 ** 46, mayScan: true }
  const extent = {
    top: address(0x1000n),
    topBytes: 0,
    systemBytes: 1 << 20,
    sbrkBase: 0n,
    isContiguous: false,
  }
  const tally = new Tally()
  const result = walkMainHeap(memory, extent, layoutOfVersion(36, 8), tally, () => [stretch])
  t.match(result, { ended: 'size', found: [], stretches: [stretch] })
  t.ok(reads > 1000 && reads < 1_000_000, `${reads} reads`)
})
