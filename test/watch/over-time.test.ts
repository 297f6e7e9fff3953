// What watch makes of samples over time: a bounded history, and the rules; on made-up samples and time.
import fc from 'fast-check'
import t from 'tap'
import { EXTREMES, History, MOST_OLDER, MOST_RECENT } from '../../src/watch/history.js'
import { roomOf, runOut } from '../../src/watch/run-out.js'
import { steadyGrowth, theilSen } from '../../src/watch/steady.js'
import { evidence, findingsOf, GIB, historyOf, MIB, START_MS, sampleWith } from './samples.js'

const HOUR_MS = 3_600_000
const known = fc.option(fc.integer({ min: 0, max: 1e9 }), { nil: null, freq: 4 })

t.test('a history is bounded and loses no extreme', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ rssBytes: known, inUseBytes: known, arenas: known }), {
        minLength: 1,
        maxLength: 3000,
      }),
      fc.integer({ min: 1, max: 3 }),
      (rows, times) => {
        const history = new History()
        const fed = Array.from({ length: times }, () => rows)
          .flat()
          .map((row, i) => sampleWith(START_MS + i * 1000, row))
        for (const sample of fed) history.add(sample)
        const { points } = history
        if (points.length > MOST_RECENT + MOST_OLDER) return false
        if (history.samples !== fed.length || history.first !== fed[0] || history.last !== fed.at(-1))
          return false
        let at = 0
        for (const { sample, samples, fromMs, toMs, extremes } of points) {
          const own = fed.slice(at, at + samples)
          at += samples
          if (own[0]!.atMs !== fromMs || own.at(-1)!.atMs !== toMs || !own.includes(sample)) return false
          for (const figure of EXTREMES) {
            const values = own.map((one) => one[figure]).filter((value) => value !== null)
            const [least, most] = extremes[figure] ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
            if (least !== Math.min(...values) || most !== Math.max(...values)) return false
          }
        }
        const recent = points.slice(-Math.min(MOST_RECENT, fed.length))
        const older = points.slice(0, -recent.length).slice(0, -1)
        return (
          at === fed.length &&
          recent.every(({ samples }) => samples === 1) &&
          older.every(({ samples }) => samples === older[0]!.samples && Math.log2(samples) % 1 === 0)
        )
      },
    ),
    { numRuns: 60 },
  )
  const week = historyOf(7 * 24 * 360, (i) => ({ rssBytes: i === 777 ? GIB : 100 * MIB }))
  t.equal(week.samples, 60_480)
  t.ok(week.points.length <= MOST_RECENT + MOST_OLDER && week.points.length >= MOST_RECENT + MOST_OLDER / 2)
  const spike = week.points.filter(({ extremes }) => extremes.rssBytes![1] === GIB)
  t.equal(spike.length, 1, 'the one spike of a week is still there')
  t.ok(spike[0]!.fromMs <= START_MS + 7_770_000 && spike[0]!.toMs >= START_MS + 7_770_000)
  t.end()
})

t.test('the slope is the median of all slopes', (t) => {
  const at = (values: readonly number[]) => values.map((value, i) => ({ atMs: i * 10, value }))
  t.equal(theilSen(at([0, 10, 20, 30])), 1)
  t.equal(theilSen(at([0, 10, 9000, 30, 40])), 1, 'one value far off changes nothing')
  t.equal(theilSen(at([5])), 0)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 12 }), (values) => {
      const slopes = values
        .flatMap((a, i) => values.slice(i + 1).map((b, j) => (b - a) / ((j + 1) * 10)))
        .sort((a, b) => a - b)
      const middle = (slopes[(slopes.length - 1) >> 1]! + slopes[slopes.length >> 1]!) / 2
      return Math.abs(theilSen(at(values)) - middle) < 1e-9
    }),
  )
  t.end()
})

const noise = (i: number) =>
  Math.sin(i * 12.9898) * 43_758.5453 - Math.floor(Math.sin(i * 12.9898) * 43_758.5453)

t.test('steady growth', (t) => {
  const rate = 90 * MIB
  const growing = (count: number, everyMs: number) =>
    historyOf(
      count,
      (i, atMs) => {
        const more = (rate * atMs) / HOUR_MS + noise(i) * MIB
        return {
          inUseBytes: 80 * MIB + more,
          systemBytes: 90 * MIB + more,
          rssBytes: 100 * MIB + more,
          categories: { 'malloc: live': 80 * MIB + more, 'thread stacks': MIB },
        }
      },
      everyMs,
    )
  const [finding, ...others] = findingsOf(growing(360, 10_000))
  t.equal(finding?.rule, 'steady-growth')
  t.same(others, [])
  const told = evidence(finding!, "bytes in use in malloc's arenas, growth an hour")
  t.ok(Math.abs(told / rate - 1) < 0.02, `${told} of ${rate} bytes an hour`)
  t.match(
    finding!.title,
    /^bytes in use in malloc's arenas grow steadily, by (89|90|91)\.\d MiB an hour; at this rate the machine's memory \(8\.0 GiB left\) is used up in about 3 d/,
  )
  t.equal(finding!.severity, 'warning', 'days from now')
  t.match(finding!.nextStep, 'arena-inspect trace --pid 6')
  t.same(findingsOf(growing(11, 10_000)), [], 'too few samples')
  t.same(findingsOf(growing(40, 200)), [], 'too short a time')
  t.end()
})

t.test('when memory runs out', (t) => {
  const history = (limit: number | null) =>
    historyOf(100, (_, atMs) => ({
      rssBytes: 100 * MIB + (600 * MIB * atMs) / HOUR_MS,
      inUseBytes: 80 * MIB + (600 * MIB * atMs) / HOUR_MS,
      cgroupLimitBytes: limit,
      cgroupUsedBytes: limit === null ? null : GIB,
    }))
  const grouped = runOut(history(4 * GIB).points)!
  t.equal(grouped.room.of, "the control group's limit")
  t.equal(grouped.room.bytes, 3 * GIB)
  t.ok(Math.abs(grouped.inMs / ((3072 / 600) * HOUR_MS) - 1) < 0.01)
  t.equal(findingsOf(history(4 * GIB))[0]!.severity, 'critical', 'in five hours')
  t.equal(runOut(history(null).points)!.room.of, "the machine's memory")
  t.equal(roomOf(sampleWith(START_MS, { cgroupLimitBytes: GIB, cgroupUsedBytes: 2 * GIB }))!.bytes, 0)
  t.equal(roomOf(sampleWith(START_MS, { machineAvailableBytes: null })), null)
  const virtual = historyOf(100, (_, atMs) => ({ inUseBytes: 80 * MIB + (600 * MIB * atMs) / HOUR_MS }))
  t.equal(runOut(virtual.points), null, 'memory that is not touched runs out of nothing')
  t.notMatch(findingsOf(virtual)[0]!.title, 'used up')
  t.end()
})

t.test('what is no growth', (t) => {
  const inUse = (of: (i: number) => number | null, count = 200) =>
    findingsOf(historyOf(count, (i) => ({ inUseBytes: of(i), categories: null })))
  fc.assert(
    fc.property(
      fc.double({ min: 2.1, max: 60, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 200, max: 1500 }),
      (period, phase, count) =>
        inUse((i) => 80 * MIB + ((i / period + phase) % 1) * 64 * MIB, count).length === 0,
    ),
    { numRuns: 150 },
  )
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 64 * MIB }), { minLength: 12, maxLength: 300 }),
      (values) => inUse((i) => 80 * MIB + values[i]!, values.length).length === 0 || isSorted(values),
    ),
    { numRuns: 100 },
  )
  t.same(
    inUse((i) => 80 * MIB + Math.min(i, 40) * MIB),
    [],
    'a start that came to its end',
  )
  t.same(
    inUse((i) => (i === 100 ? 800 * MIB : 80 * MIB)),
    [],
    'one peak',
  )
  t.same(
    inUse((i) => (i < 100 ? 80 * MIB : 160 * MIB)),
    [],
    'one step',
  )
  t.same(
    inUse((i) => 80 * MIB - i * 1000),
    [],
    'shrinking',
  )
  t.same(
    inUse((i) => (i % 2 === 0 ? 80 * MIB : null)),
    [],
    'unknown is not zero',
  )
  t.same(
    inUse(() => null),
    [],
    'nothing known',
  )
  const halfKnown = inUse((i) => (i % 2 === 0 ? 80 * MIB + i * MIB : null))
  t.equal(halfKnown[0]?.rule, 'steady-growth', 'what is known grows')
  t.equal(evidence(halfKnown[0]!, 'samples'), 100)
  const late = inUse((i) => 80 * MIB + Math.max(0, i - 150) * MIB)
  t.equal(late[0]?.rule, 'steady-growth', 'growth that began late')
  t.ok(evidence(late[0]!, 'samples') <= 60)
  const onTop = inUse((i) => 80 * MIB + i * MIB + (i % 7) * 20 * MIB, 400)
  t.equal(onTop[0]?.rule, 'steady-growth', 'growth below a sawtooth')
  t.end()
})

function isSorted(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value >= values[i - 1]!)
}

t.test('in use is flat while arenas grow', (t) => {
  const rate = 400 * MIB
  const retention = (inUseShare: number) =>
    historyOf(200, (i, atMs) => {
      const more = (rate * atMs) / HOUR_MS
      return {
        systemBytes: 90 * MIB + more,
        inUseBytes: 80 * MIB + inUseShare * more + (i % 5) * 100_000,
        rssBytes: 100 * MIB + more,
        freeInBinsBytes: 8 * MIB + more,
        categories: { 'malloc: live': 80 * MIB, 'malloc: bins, pinned': 8 * MIB + more },
        arenas: 8,
      }
    })
  const findings = findingsOf(retention(0))
  t.same(
    findings.map(({ rule }) => rule),
    ['retention-growth'],
    'told once: the free memory is no growth of its own',
  )
  const [finding] = findings
  t.ok(Math.abs(evidence(finding!, 'system bytes, growth an hour') / rate - 1) < 0.01)
  t.equal(finding!.severity, 'critical')
  t.ok(finding!.fixes!.some(({ text }) => text === 'arena-inspect report --pid 6'))
  t.ok(finding!.fixes!.some(({ text }) => /^MALLOC_ARENA_MAX=\d+$/.test(text)))
  t.notOk(
    findingsOf(retention(1)).some(({ rule }) => rule === 'retention-growth'),
    'in use grows as well',
  )
  const unknown = historyOf(200, (i) => ({ systemBytes: 90 * MIB + i * MIB, inUseBytes: null }))
  t.same(findingsOf(unknown), [], 'unknown is not flat')
  t.end()
})

t.test('arenas are being made', (t) => {
  const arenas = (of: (i: number) => number | null) => findingsOf(historyOf(60, (i) => ({ arenas: of(i) })))
  const [finding] = arenas((i) => 4 + Math.floor(i / 4))
  t.equal(finding?.rule, 'arena-count-rising')
  t.equal(finding!.severity, 'warning')
  t.match(finding!.title, 'arenas are being made: 4 at first, 18 now, in 9 min 50 s')
  t.ok(finding!.fixes!.some(({ text }) => text === 'arena-inspect trace --pid 6 --min 1M'))
  t.ok(finding!.fixes!.some(({ text }) => text === 'arena-inspect limit --pid 6 --arena-max 18'))
  t.ok(finding!.fixes!.some(({ text }) => /^MALLOC_ARENA_MAX=\d+$/.test(text)))
  t.same(
    arenas((i) => Math.min(16, 4 + i)),
    [],
    'they were made at the start',
  )
  t.same(
    arenas((i) => (i < 50 ? 4 : 8)),
    [],
    'at one time',
  )
  t.same(
    arenas((i) => (i % 3 === 0 ? null : 4)),
    [],
    'a ring that was not seen whole is not 0 arenas',
  )
  t.equal(arenas((i) => (i < 30 ? 2 : i < 50 ? 3 : 4))[0]?.severity, 'info')
  t.end()
})

t.test('growth of too little is none', (t) => {
  const series = Array.from({ length: 50 }, (_, i) => ({ atMs: i * 1000, value: i, least: i, most: i }))
  t.equal(steadyGrowth(series, 50), null)
  t.match(steadyGrowth(series, 40), { values: 50, perHour: 3600, fromMs: 0, toMs: 49_000 })
  t.end()
})
