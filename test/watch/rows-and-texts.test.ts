// A measurement as a row, what grew between two rows, and how people read them.
import t from 'tap'
import { clockText, dateText, zoneText } from '../../src/format/clock.js'
import { durationText } from '../../src/format/durations.js'
import type { Measured } from '../../src/report/build-report.js'
import { sparkline, watchBlock, watchLine } from '../../src/views/text/watch-text.js'
import { growers, topGrowers } from '../../src/watch/growers.js'
import { MOST_ARENAS, sampleOf } from '../../src/watch/sample.js'
import { FACTS, findingsOf, historyOf, MIB, START_MS, sampleWith } from './samples.js'

t.test('growers', (t) => {
  const arena = (name: string, systemBytes: number | null) => ({
    name,
    systemBytes,
    inUseBytes: null,
    fastbinBytes: null,
    binnedBytes: null,
    topBytes: null,
  })
  const a = sampleWith(1, {
    categories: { 'malloc: live': 10, files: null },
    byArena: [arena('main', 5)],
    arenas: 1,
  })
  const b = sampleWith(2, {
    categories: { 'thread stacks': 7, files: 9, 'malloc: live': 4, 'malloc: not told apart': 99 },
    byArena: [arena('main', 25), arena('0x10', 3)],
    arenas: 2,
  })
  t.same(
    growers(a, b).map(({ name, grewBytes }) => [name, grewBytes]),
    [
      ['main', 20],
      ['thread stacks', 7],
      ['0x10', 3],
      ['malloc: live', -6],
    ],
    'unknown at first is no growth',
  )
  t.same(
    topGrowers(a, b, 1).map(({ name }) => name),
    ['thread stacks', 'main'],
  )
  const others = { ...arena('others', 50), count: 9 }
  t.same(
    growers({ ...a, otherArenas: others }, b).map(({ name }) => name),
    ['main', 'thread stacks', 'malloc: live'],
    'one that may have been among the others is not new',
  )
  t.end()
})

t.test('a measurement as a row', (t) => {
  const resident = { liveBytes: 1 }
  const arena = (index: number, differs: object) => ({
    index,
    address: BigInt(4096 * (index + 1)),
    isMain: index === 0,
    heaps: [{}, {}],
    systemBytes: 100 + index,
    inUseBytes: 10,
    fastbinBytes: 1,
    binnedBytes: 2,
    topBytes: 3,
    resident,
    ...differs,
  })
  const facts = (arenas: readonly object[], closed = true) =>
    ({
      ...FACTS,
      heap: {
        arenas,
        ringClosed: closed,
        mmapped: { count: 2, bytes: 300, found: [] },
        totals: {
          systemBytes: 201,
          inUseBytes: null,
          binnedBytes: 4,
          fastbinBytes: 2,
          topBytes: 6,
          trimReturnsBytes: null,
        },
      },
      ledger: {
        totalBytes: 5000,
        entries: [
          { line: 'malloc: live', residentBytes: 1000, swapBytes: 0 },
          { line: 'malloc: not told apart', residentBytes: 500, swapBytes: 0 },
          { line: 'files', residentBytes: 3500, swapBytes: 0 },
        ],
      },
    }) as unknown as Measured
  const around = { atMs: 1, tookMs: 2, virtualBytes: 9, machineAvailableBytes: null, swapBytes: 0 }
  const whole = sampleOf(facts([arena(0, {}), arena(1, {})]), around)
  t.match(whole, {
    arenas: 2,
    heaps: 4,
    systemBytes: 201,
    inUseBytes: null,
    freeInBinsBytes: 6,
    rssBytes: 5000,
    movingArenas: 0,
  })
  t.same(whole.categories, { 'malloc: live': 1000, 'malloc: not told apart': 500, files: 3500 })
  t.same(
    whole.byArena.map(({ name }) => name),
    ['0x2000', 'main'],
    'largest first, by address',
  )
  const moving = sampleOf(
    facts([arena(0, {}), arena(1, { resident: null, inUseBytes: null, moving: {} })], false),
    around,
  )
  t.match(moving, { arenas: null, heaps: null, movingArenas: 1 })
  t.equal(
    moving.categories!['malloc: live'],
    null,
    'the live bytes of some arenas are not those of the process',
  )
  t.equal(moving.categories!['malloc: not told apart'], 1500)
  t.equal(moving.categories!.files, 3500)
  const many = sampleOf(
    facts(Array.from({ length: MOST_ARENAS + 3 }, (_, i) => arena(i, i === 0 ? { inUseBytes: null } : {}))),
    around,
  )
  t.equal(many.byArena.length, MOST_ARENAS)
  t.match(many.otherArenas, { count: 3, systemBytes: 100 + 101 + 102, inUseBytes: null, topBytes: 9 })
  const none = sampleOf({ ...FACTS, problems: [] } as unknown as Measured, around)
  t.match(none, { arenas: null, systemBytes: null, rssBytes: null, categories: null, mmappedBytes: null })
  t.end()
})

t.test('texts', (t) => {
  t.same([0, 850, 2560, 13_000, 90_000, 780_000, 5_280_000, 187_200_000].map(durationText), [
    '0 ms',
    '850 ms',
    '2.5 s',
    '13 s',
    '1 min 30 s',
    '13 min',
    '1 h 28 min',
    '2 d 4 h',
  ])
  t.match(dateText(START_MS), /^2026-11-2\d \d\d:\d\d:00$/)
  t.match(zoneText(START_MS), /^UTC[+-]\d\d:\d\d$/)
  const line = watchLine(
    sampleWith(START_MS + 1000, {
      inUseBytes: null,
      arenas: 6,
      movingArenas: 2,
      categories: { files: 5 * MIB },
    }),
    sampleWith(START_MS, { categories: { files: 1 * MIB }, rssBytes: 101 * MIB }),
  )
  t.match(line, clockText(START_MS + 1000))
  t.match(
    line,
    /RSS {2}100\.0 MiB {4}-1\.0 MiB {2}arenas {3}6 {3}\+2 .* in use {4}unknown +files \+4\.0 MiB · 2 moving$/,
  )
  const history = historyOf(500, (i) => ({
    rssBytes: i < 250 ? null : i * MIB,
    categories: { files: i * MIB },
  }))
  t.equal(sparkline(history.points, 'rssBytes', 40).length, 40)
  t.match(sparkline(history.points, 'rssBytes', 40), /^ {15,}▁[▁-█]+█$/, 'unknown is blank')
  t.equal(sparkline(history.points, 'arenas', 4), '▅▅▅▅')
  const { first, previous, last, points } = history
  const findings = findingsOf(history)
  for (const width of [40, 79, 200]) {
    const rows = watchBlock({ points, first: first!, previous, last: last!, findings }, width, false)
    t.ok(
      rows.every((row) => row.length <= width),
      `${width} columns`,
    )
    t.match(rows.join('\n'), /^ RSS .*\n system .*\n in use .*\n arenas .*\n grew since /)
  }
  t.end()
})
