// What changed between two reports: nothing is made up where a side does not know.
import t from 'tap'
import { compare } from '../../src/diff/compare.js'
import { judge, parseCondition } from '../../src/diff/conditions.js'
import { diffTables } from '../../src/diff/diff-tables.js'
import { METRIC_NAMES, type Metric } from '../../src/diff/metrics.js'
import type { Report, ReportArena } from '../../src/report/report.js'
import { diffPage } from '../../src/views/html/diff-page.js'
import { renderDiffMarkdown } from '../../src/views/text/diff-markdown.js'
import { renderDiffText } from '../../src/views/text/diff-text.js'
import { fakeReport } from '../fakes/fake-session.js'

const TABLE = { sort: 'growth', limit: 10 } as const

function withArenas(report: Report, arenas: readonly ReportArena[], systemBytes: number | null): Report {
  const heap = report.heap!
  return { ...report, heap: { ...heap, arenas, totals: { ...heap.totals, systemBytes } } }
}

t.test('a report and itself: nothing changed', async (t) => {
  const report = fakeReport()
  const diff = compare(report, report)
  t.equal(diff.sameProcess, true)
  for (const { metric, grew, from } of diff.figures) t.equal(grew, from === null ? null : 0, metric)
  t.ok(diff.arenas!.every(({ presence, systemBytes }) => presence === 'both' && systemBytes.grew === 0))
  t.ok(diff.findings.every(({ state }) => state === 'same'))
  t.same(
    diffTables(diff, TABLE).map(({ title }) => title),
    ['Figures', 'Findings'],
  )
})

t.test('arenas: new, gone, and those that a side may not have seen', async (t) => {
  const report = fakeReport()
  const arenas = report.heap!.arenas
  const fewer = withArenas(report, arenas.slice(0, 60), 1)
  const added = compare(fewer, report)
  t.same(
    added.arenas!.filter(({ presence }) => presence === 'new').map(({ indexInB }) => indexInB),
    [60, 61, 62, 63],
  )
  t.match(added.arenas!.at(-1), { indexInA: null, systemBytes: { from: 0, to: arenas[63]!.systemBytes } })
  t.equal(compare(report, fewer).arenas!.filter(({ presence }) => presence === 'gone').length, 4)
  const broken = compare(withArenas(report, arenas.slice(0, 60), null), report)
  t.match(broken.arenas!.at(-1), { presence: 'unknown', systemBytes: { from: null, grew: null } })
  t.match(
    broken.figures.find(({ metric }) => metric === 'arenas'),
    { from: null, to: 64, grew: null },
  )
})

t.test('another process: arenas by position, threads by name, if all have one', async (t) => {
  const report = fakeReport()
  const heap = report.heap!
  const moved = {
    ...report,
    target: { ...report.target, pid: 7 },
    heap: { ...heap, arenas: heap.arenas.map((arena) => ({ ...arena, address: `${arena.address}0` })) },
  }
  const diff = compare(report, moved)
  t.equal(diff.sameProcess, false)
  t.ok(diff.arenas!.every(({ presence }) => presence === 'both'))
  const named = {
    ...moved,
    heap: { ...moved.heap, threads: [{ tid: 1, name: 'worker', arena: 0, tcache: null }] },
  }
  const before = { ...report, heap: { ...heap, threads: [] } }
  t.match(compare(before, named).threads, [
    { presence: 'new', tid: null, name: 'worker', threads: { grew: 1 } },
  ])
  const nameless = { ...before, heap: { ...heap, threads: [{ tid: 1, name: null, arena: 0, tcache: null }] } }
  for (const thread of compare(nameless, named).threads!)
    t.match(thread, { presence: 'unknown', threads: { grew: null } })
})

t.test('what cannot be compared is unknown', async (t) => {
  const report = fakeReport()
  const saved = { ...report, ledger: { ...report.ledger!, basis: 'saved' as const } }
  const diff = compare(saved, report)
  t.match(diff.figures[0], { metric: 'rss', grew: null, from: report.ledger!.totalBytes })
  t.ok(diff.ledger!.every(({ grew }) => grew === null))
  t.ok(diff.categories.every(({ residentBytes }) => residentBytes.grew === null))
  t.ok(diff.problems.some((problem) => problem.startsWith('resident memory is not compared')))
  const none = compare({ ...report, heap: null }, report)
  t.match(none, { arenas: null, threads: null, sizeClasses: null })
  t.ok(none.ledger!.filter(({ line }) => line.startsWith('malloc: ')).every(({ grew }) => grew === null))
  const rest = { line: 'malloc: not told apart', residentBytes: 5, swapBytes: 0 } as const
  const entries = [...report.ledger!.entries.filter(({ line }) => line !== 'malloc: top'), rest]
  const apart = compare({ ...report, ledger: { ...report.ledger!, entries } }, report)
  t.match(
    apart.ledger!.find(({ line }) => line === 'malloc: top'),
    { from: null, grew: null },
  )
  t.match(
    apart.ledger!.find(({ line }) => line === 'thread stacks'),
    { grew: 0 },
  )
})

t.test('findings: new, gone, worse, better', async (t) => {
  const report = fakeReport()
  const [info, critical] = report.findings
  const states = (a: Report['findings'], b: Report['findings']) =>
    compare({ ...report, findings: a }, { ...report, findings: b }).findings.map(({ state }) => state)
  t.same(states([info!], [critical!]), ['new', 'gone'])
  t.same(states([{ ...info!, severity: 'warning' }, critical!], [info!, critical!]), ['same', 'better'])
  t.same(states([info!], [{ ...info!, severity: 'critical' }]), ['worse'])
})

t.test('conditions', async (t) => {
  const size = (text: string) => (text === '64M' ? 64 << 20 : null)
  t.match(parseCondition('in-use>10%', size), { metric: 'in-use', above: { percent: 10 } })
  t.match(parseCondition(' system > 64M ', size), { metric: 'system', above: { amount: 64 << 20 } })
  t.match(parseCondition('arenas>2', size), { metric: 'arenas', above: { amount: 2 } })
  for (const text of [
    '',
    'in-use',
    'in-use>',
    'nothing>1%',
    'in-use>x',
    'arenas>64M',
    'in-use>-1%',
    'in-use>=1%',
    'toString>1',
  ])
    t.equal(parseCondition(text, size), null, text)
  const holds = (from: number | null, to: number | null, text: string) => {
    const growth = { from, to, grew: from === null || to === null ? null : to - from, grewPercent: null }
    const figures = METRIC_NAMES.map((metric: Metric) => ({ metric, unit: 'bytes' as const, ...growth }))
    return judge({ figures }, parseCondition(text, size)!).holds
  }
  t.equal(holds(100, 110, 'live>10%'), false)
  t.equal(holds(100, 111, 'live>10%'), true)
  t.equal(holds(100, 50, 'live>0%'), false)
  t.equal(holds(0, 1, 'live>500%'), true)
  t.equal(holds(0, (64 << 20) + 1, 'live>64M'), true)
  t.equal(holds(null, 1, 'live>0%'), 'unknown')
})

t.test('the views keep what a target says harmless', async (t) => {
  const report = fakeReport()
  const evil = '</script><img src=x onerror=alert(1)>|`\x1b]0;owned\x07'
  const named = (name: string) => ({
    ...report,
    heap: { ...report.heap!, threads: [{ tid: 1, name, arena: 0, tcache: null }] },
  })
  const other = { ...named(evil), target: { ...report.target, pid: 9, label: evil, executable: evil } }
  const diff = compare(named('worker'), other)
  const text = renderDiffText(diff, { ...TABLE, color: false })
  t.notOk(text.includes('\x1b'))
  t.match(text, /onerror/)
  t.notOk(diffPage(diff, TABLE).includes('<img'))
  const markdown = renderDiffMarkdown(diff, TABLE)
  t.notOk(markdown.includes('\x1b') || markdown.includes('<img'))
})

t.test('order and limit', async (t) => {
  const report = fakeReport()
  const grown = withArenas(
    report,
    report.heap!.arenas.map((arena) => ({
      ...arena,
      systemBytes: arena.systemBytes! + ((arena.index * 7919) % 64) * 4096,
    })),
    1,
  )
  const table = (sort: 'growth' | 'size' | 'name', limit: number) =>
    diffTables(compare(report, grown), { sort, limit }).find(({ title }) => title.startsWith('Arenas'))!
  const all = table('growth', 100)
  t.equal(all.rows.length, 63)
  t.same(
    all.rows.map(({ grew }) => grew),
    all.rows.map(({ grew }) => grew!).sort((a, b) => b - a),
  )
  t.match(table('size', 5), { left: 58 })
  t.match(table('name', 1).rows[0]!.cells[0], /^arena 1 /)
})
