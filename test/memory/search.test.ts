// Searching memory against a naive search: every occurrence, in order, in both directions, across mappings and holes.
import fc from 'fast-check'
import t from 'tap'
import { address, hex, offset } from '../../src/memory/address.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import { joined, type SearchOptions, type Span, searchMemory } from '../../src/memory/search.js'
import { NeedleError, parseNeedle } from '../../src/session/needle.js'
import { memoryOf } from '../fakes/memory.js'

const PAGE = 16

function span(start: bigint, bytes: number): Span {
  return { start: address(start), end: address(start + BigInt(bytes)) }
}

interface Stretch {
  readonly start: bigint
  readonly bytes: Uint8Array
}

/** Memory that is short only where the next byte is not there, as the contract has it. */
function memoryWith(stretches: readonly Stretch[]): MemorySource {
  const parts = memoryOf(...stretches)
  return {
    read(at, into) {
      let got = 0
      for (let more = -1; more !== 0 && got < into.length; got += more)
        more = parts.read(offset(at, got), into.subarray(got))
      return got
    },
    fault: (at) => parts.fault(at),
  }
}

function found(
  stretches: readonly Stretch[],
  options: Pick<SearchOptions, 'bytes'> & Partial<SearchOptions>,
  spans: readonly Span[] = stretches.map(({ start, bytes }) => span(start, bytes.length)),
): bigint[] {
  const whole = { alignBytes: 1, from: null, direction: 1, pageBytes: PAGE, ...options } as const
  const steps = [...searchMemory(memoryWith(stretches), spans, whole)]
  const fractions = steps.map(({ fraction }) => fraction)
  if (fractions.some((fraction, index) => fraction < (fractions[index - 1] ?? 0) || fraction > 1))
    throw new Error(`progress goes back: ${fractions}`)
  return steps.flatMap(({ at }) => (at === null ? [] : [at]))
}

t.test('against a naive search', async (t) => {
  const byte = fc.integer({ min: 0, max: 2 })
  const given = fc.record({
    lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    gaps: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
    fill: fc.array(byte, { minLength: PAGE * 20, maxLength: PAGE * 20 }),
    needle: fc.array(byte, { minLength: 1, maxLength: 5 }),
    from: fc.option(fc.integer({ min: 0, max: PAGE * 30 }), { nil: null }),
    direction: fc.constantFrom(1 as const, -1 as const),
    alignBytes: fc.constantFrom(1, 4, 8),
  })
  fc.assert(
    fc.property(given, ({ lengths, gaps, fill, needle, from, direction, alignBytes }) => {
      const stretches: { start: bigint; bytes: Uint8Array }[] = []
      let at = 0n
      for (const [index, pages] of lengths.entries()) {
        at += BigInt(gaps[index]! * PAGE)
        stretches.push({
          start: at,
          bytes: Uint8Array.from(fill.slice(index * 5 * PAGE, (index * 5 + pages) * PAGE)),
        })
        at += BigInt(pages * PAGE)
      }
      const known = new Map(
        stretches.flatMap(({ start, bytes }) => [...bytes].map((b, i) => [Number(start) + i, b])),
      )
      const all = [...known.keys()]
        .filter((start) => start % alignBytes === 0 && needle.every((b, i) => known.get(start + i) === b))
        .sort((a, b) => a - b)
      const ahead =
        from === null ? all : all.filter((start) => (direction === 1 ? start > from : start < from))
      const rest = from === null ? [] : all.filter((start) => !ahead.includes(start))
      const wanted = direction === 1 ? [...ahead, ...rest] : [...ahead.reverse(), ...rest.reverse()]
      const options = {
        bytes: Uint8Array.from(needle),
        from: from === null ? null : address(from),
        direction,
        alignBytes,
      }
      return JSON.stringify(found(stretches, options).map(Number)) === JSON.stringify(wanted)
    }),
    { numRuns: 300 },
  )
  t.pass('300 memories')
})

t.test('over the edges of blocks, and over what cannot be read', async (t) => {
  const MIB = 1 << 20
  const bytes = new Uint8Array(3 * MIB)
  for (const at of [MIB - 3, 2 * MIB - 1, 3 * MIB - 5]) bytes.set([1, 2, 3, 4, 5], at)
  const base = 0x7f0000000000n
  const places = [MIB - 3, 2 * MIB - 1, 3 * MIB - 5].map((at) => hex(base + BigInt(at)))
  const needle = Uint8Array.of(1, 2, 3, 4, 5)
  const up = found([{ start: base, bytes }], { bytes: needle })
  t.same(up.map(hex), places)
  const down = found([{ start: base, bytes }], { bytes: needle, direction: -1 })
  t.same(down.map(hex), [...places].reverse())

  const apart = [
    { start: base, bytes: Uint8Array.of(...new Array(PAGE - 2).fill(0), 7, 7) },
    { start: base + BigInt(3 * PAGE), bytes: Uint8Array.of(7, 7, 7, ...new Array(PAGE - 3).fill(0)) },
  ]
  const hits = found(apart, { bytes: Uint8Array.of(7, 7, 7) }, [span(base, 4 * PAGE)])
  t.same(hits.map(hex), [hex(base + BigInt(3 * PAGE))], 'nothing is found across bytes that are not known')
})

t.test('spans that touch are one', async (t) => {
  const spans = [span(0n, 10), span(10n, 5), span(20n, 5), span(25n, 0)]
  t.same(
    joined(spans).map(({ start, end }) => [Number(start), Number(end)]),
    [
      [0, 15],
      [20, 25],
    ],
  )
})

t.test('what is looked for', async (t) => {
  const kinds: Readonly<Record<string, readonly [string, number[], number]>> = {
    '0x7f01': ['pointer', [0x01, 0x7f, 0, 0, 0, 0, 0, 0], 8],
    'de ad BE': ['bytes', [0xde, 0xad, 0xbe], 1],
    '"0x7f"': ['text', [0x30, 0x78, 0x37, 0x66], 1],
    de: ['text', [0x64, 0x65], 1],
    'é ': ['text', [0xc3, 0xa9, 0x20], 1],
  }
  for (const [text, [kind, bytes, alignBytes]] of Object.entries(kinds))
    t.same({ ...parseNeedle(text, 8), bytes: [...parseNeedle(text, 8).bytes] }, { kind, bytes, alignBytes })
  t.same([...parseNeedle('0xffffffff', 4).bytes], [255, 255, 255, 255])
  for (const text of ['', '""', '0x1ffffffff', 'x'.repeat(5000)])
    t.throws(() => parseNeedle(text, 4), NeedleError)
})
