// Chunks in columns, chosen and sorted: the same as plain arrays of objects would give.
import fc from 'fast-check'
import t from 'tap'
import { ChunkTable } from '../../../src/session/chunk-table.js'
import { CHUNK_STATES } from '../../../src/session/session.js'
import { EVERY_CHUNK } from '../../../src/views/tui/chunks/chunk-filter.js'
import { chunkView, indexHolding, rowAt } from '../../../src/views/tui/chunks/chunk-view.js'

interface Chunk {
  readonly at: bigint
  readonly size: number
  readonly state: number
  readonly arena: number
}

const SIZES = [32, 48, 4112, 524_272, 524_280, 524_288, 2 ** 20, 2 ** 35, 2 ** 35 + 16]

/** Chunks one after another, with gaps of up to 64 GiB between arenas. */
const chunks = fc
  .array(
    fc.record({
      size: fc.constantFrom(...SIZES),
      state: fc.nat(CHUNK_STATES.length - 1),
      step: fc.constantFrom(0, 0, 0, 1),
    }),
    { maxLength: 60 },
  )
  .map((list) => {
    let at = 0x7f00_0000_0000n
    let arena = 0
    return list.map(({ size, state, step }): Chunk => {
      arena += step
      at += BigInt(step) * 0x10_0000_0010n
      const chunk = { at, size, state, arena }
      at += BigInt(size)
      return chunk
    })
  })

function tableOf(list: readonly Chunk[]): ChunkTable {
  const table = new ChunkTable()
  for (let from = 0; from < list.length; from += 7) {
    const part = list.slice(from, from + 7)
    table.append({
      count: part.length,
      addresses: BigUint64Array.from(part, ({ at }) => at),
      sizes: Float64Array.from(part, ({ size }) => size),
      states: Uint8Array.from(part, ({ state }) => state),
      arenas: Int32Array.from(part, ({ arena }) => arena),
    })
  }
  return table
}

function viewOf(...args: Parameters<typeof chunkView>) {
  const steps = chunkView(...args)
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

t.test('as arrays of objects would', async (t) => {
  const filters = fc.record({
    arena: fc.option(fc.nat(3)),
    group: fc.constantFrom('all', 'live', 'free', 'top'),
    minBytes: fc.option(fc.constantFrom(0, 48, 524_280, 2 ** 35)),
    maxBytes: fc.option(fc.constantFrom(32, 524_272, 2 ** 35)),
  })
  const groups: Readonly<Record<string, readonly string[]>> = {
    all: CHUNK_STATES,
    live: ['live'],
    free: ['fastbin', 'unsorted', 'binned'],
    top: ['top'],
  }
  fc.assert(
    fc.property(chunks, filters, fc.boolean(), fc.boolean(), (list, filter, bySize, reversed) => {
      const view = viewOf('x', tableOf(list), filter, bySize ? 'size' : 'place')
      const wanted = list.filter(
        ({ arena, state, size }) =>
          (filter.arena === null || arena === filter.arena) &&
          groups[filter.group]!.includes(CHUNK_STATES[state]!) &&
          size >= (filter.minBytes ?? 0) &&
          size <= (filter.maxBytes ?? Number.POSITIVE_INFINITY),
      )
      if (bySize) wanted.sort((a, b) => a.size - b.size || Number(a.at - b.at))
      if (reversed) wanted.reverse()
      const shown = wanted.map((_, index): Chunk => {
        const row = rowAt(view, index, reversed)
        const { table } = view
        return {
          at: table.address(row),
          size: table.size(row),
          state: table.state(row),
          arena: table.arena(row),
        }
      })
      t.same(shown, wanted)
      t.equal(view.count, wanted.length)
      t.equal(
        view.bytes,
        wanted.reduce((sum, { size }) => sum + size, 0),
      )
      for (const [index, { at, size }] of wanted.entries()) {
        if (indexHolding(view, at + BigInt(size - 1), reversed) !== index) return false
      }
      return true
    }),
    { numRuns: 200 },
  )
})

t.test('2.1 million chunks, many runs', async (t) => {
  const many = 1 << 15
  const list = Array.from({ length: many }, (_, i) => ({
    at: 0x1000n + BigInt(i) * 0x30n,
    size: 48,
    state: i % 2,
    arena: 0,
  }))
  const table = new ChunkTable()
  for (let arena = 0; arena < 64; arena++) {
    table.append({
      count: many,
      addresses: BigUint64Array.from(list, ({ at }) => at + BigInt(arena) * 0x4000000n),
      sizes: new Float64Array(many).fill(48),
      states: Uint8Array.from(list, ({ state }) => state),
      arenas: new Int32Array(many).fill(arena),
    })
  }
  t.equal(table.count, 64 * many)
  t.equal(viewOf('x', table, EVERY_CHUNK, 'place').rows, null, 'all of them take no rows')
  t.equal(viewOf('x', table, { ...EVERY_CHUNK, arena: 63 }, 'size').count, many)
  t.equal(table.address(64 * many - 1), 63n * 0x4000000n + 0x1000n + BigInt(many - 1) * 0x30n)
})
