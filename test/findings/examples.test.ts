// Every program of examples/programs provokes its finding and no other critical one; its twin is clean; the ledger adds
// up; and what MALLOC_ARENA_MAX is predicted to do is what it does.
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Finding, Severity } from '../../src/findings/finding.js'
import { RULES } from '../../src/findings/rules.js'
import type { Report } from '../../src/report/report.js'
import { openSession } from '../../src/session/open-session.js'
import { packageFiles } from '../support/debian-packages.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'

interface Expected {
  readonly severity: Severity
  /** Arguments and environment; those of most programs are none, and `twin`. */
  readonly args?: readonly string[]
  readonly env?: () => NodeJS.ProcessEnv | string
  readonly twinArgs?: readonly string[] | null
  readonly impossible?: string | false
}

const out = join(scratch(), 'out')
const BLOAT = ['16', '15', '1', 'log:16:4096', out]
const PROGRAMS: Readonly<Record<string, Expected>> = {
  'anonymous-dominates': { severity: 'info' },
  'arena-bloat': { severity: 'warning', args: BLOAT, twinArgs: ['16', '6', '90', 'log:16:4096', out] },
  corruption: { severity: 'critical' },
  'cpu-quota': { severity: 'warning', impossible: availableParallelism() < 2 && 'there is one CPU here' },
  'executable-heap': { severity: 'warning' },
  'idle-arenas': { severity: 'warning' },
  'large-top': { severity: 'warning' },
  'malloc-stats-overflow': { severity: 'info' },
  'memory-is-fine': { severity: 'info', twinArgs: null },
  'mmapped-near-limit': { severity: 'warning' },
  'other-allocator': { severity: 'info', env: preloadJemalloc, twinArgs: [] },
  'pinned-fragmentation': { severity: 'warning' },
  'size-class-dominates': { severity: 'info' },
  'tcache-hoarding': { severity: 'warning' },
  'thread-stacks': { severity: 'warning' },
  'trimmable-free': { severity: 'warning' },
}

function preloadJemalloc(): NodeJS.ProcessEnv | string {
  const files = packageFiles('libjemalloc2')
  if ('reason' in files) return files.reason
  return { LD_PRELOAD: join(files.root, 'usr/lib', `${triplet()}`, 'libjemalloc.so.2') }
}

function triplet(): string {
  return process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
}

async function reportOf(
  name: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Report> {
  const running = await start(compile(`examples/programs/${name}.c`), args, { env })
  const session = await openSession({ kind: 'live', pid: running.pid }, { useGdb: false })
  const { report } = session
  await session.close()
  await running.kill()
  return report
}

const told = (report: Report) => report.findings.map(({ rule, severity }) => `${severity} ${rule}`)
const findingOf = (report: Report, rule: string): Finding | undefined =>
  report.findings.find((finding) => finding.rule === rule)

t.test('a program for every rule, and none besides', async (t) => {
  const programs = readdirSync(join(ROOT, 'examples/programs')).filter((file) => file.endsWith('.c'))
  const names = programs.map((file) => file.slice(0, -2)).sort()
  t.same(names, RULES.map(({ name }) => name).sort())
  t.same(Object.keys(PROGRAMS), names)
})

for (const [name, expected] of Object.entries(PROGRAMS)) {
  t.test(name, async (t) => {
    const env = expected.env?.() ?? {}
    const impossible = expected.impossible || (typeof env === 'string' && env)
    if (impossible || typeof env === 'string') {
      t.pass(name, { skip: String(impossible) })
      return
    }
    const report = await reportOf(name, expected.args, env)
    t.equal(findingOf(report, name)?.severity, expected.severity, told(report).join(', '))
    const others = report.findings.filter(({ rule }) => rule !== name)
    t.same(
      others.filter(({ severity }) => severity === 'critical'),
      [],
      'no other critical finding',
    )
    accounted(t, report)
    if (expected.twinArgs === null) return
    const twin = await reportOf(name, expected.twinArgs ?? ['twin'])
    t.same(
      told(twin).filter((one) => !one.startsWith('info ')),
      [],
      'its twin has no warning',
    )
    t.equal(findingOf(twin, name), undefined, `its twin: ${told(twin).join(', ')}`)
    t.ok(findingOf(twin, 'memory-is-fine'), 'the memory of its twin is fine')
    accounted(t, twin)
  })
}

function accounted(t: Test, { ledger }: Report): void {
  t.ok(ledger && Math.abs(ledger.unaccountedPercent) < 1, `${ledger?.unaccountedPercent} % unaccounted`)
}

/** The recommended value of the finding, put into force; the bytes that were predicted and those that came. */
async function rerun(rule: string, args: (arenas: number) => readonly string[]) {
  const { estimate, fixes } = findingOf(await reportOf(rule, args(0)), rule)!
  const environment = fixes!.find(({ how }) => how === 'environment')!
  const [name, value] = environment.text.split('=') as [string, string]
  const heap = (await reportOf(rule, args(Number(value)), { [name]: value })).heap!
  return { name, arenas: Number(value), estimate: estimate!, heap, bytes: heap.totals.systemBytes! }
}

for (const [rule, args] of [
  ['arena-bloat', (arenas: number) => [...BLOAT, ...(arenas > 0 ? [String(arenas)] : [])]],
  ['idle-arenas', () => []],
] as const) {
  t.test(`${rule}: the recommended number of arenas`, async (t) => {
    const { name, arenas, estimate, heap, bytes } = await rerun(rule, args)
    t.equal(name, 'MALLOC_ARENA_MAX')
    t.equal(heap.arenas.length, arenas, 'it is in force')
    const { lowBytes, highBytes, nowBytes, mostBytes } = estimate
    t.comment(`${nowBytes} → ${bytes}, predicted ${lowBytes} to ${highBytes}`)
    t.ok(lowBytes <= bytes && bytes <= highBytes, `${bytes} lies between ${lowBytes} and ${highBytes}`)
    t.ok(highBytes < nowBytes, 'the prediction promises something')
    t.ok(highBytes <= mostBytes)
  })
}

t.test('arena-bloat: where all threads burst at once the outer bound holds', async (t) => {
  const { estimate, bytes } = await rerun('arena-bloat', () => [...BLOAT, '99'])
  t.ok(bytes <= estimate.mostBytes, `${bytes} is not above ${estimate.mostBytes}`)
  t.ok(bytes >= estimate.lowBytes)
})
