// Two reports compared.
import { CATEGORIES, type CategorySum } from '../maps/categories.js'
import { LEDGER_LINES, type Ledger } from '../maps/ledger.js'
import type { Report, ReportSizeClass } from '../report/report.js'
import { compareArenas } from './compare-arenas.js'
import { compareFindings } from './compare-findings.js'
import { compareThreads } from './compare-threads.js'
import {
  DIFF_SCHEMA,
  type Diff,
  type DiffCategory,
  type DiffFigure,
  type DiffLedgerLine,
  type DiffSide,
  type DiffSizeClass,
  type Growth,
} from './diff.js'
import { growth, incomparable } from './growth.js'
import { METRIC_NAMES, METRICS } from './metrics.js'

/** What changed from `a` to `b`. */
export function compare(a: Report, b: Report): Diff {
  const sameProcess = isSameProcess(a, b)
  const sameBasis = basisOf(a) === basisOf(b)
  return {
    schema: DIFF_SCHEMA,
    complete: a.complete && b.complete,
    problems: problemsOf(a, b, sameBasis),
    a: sideOf(a),
    b: sideOf(b),
    sameProcess,
    figures: figuresOf(a, b, sameBasis),
    categories: categoriesOf(a.maps.categories, b.maps.categories, sameBasis),
    ledger: a.ledger && b.ledger && ledgerOf(a, b, a.ledger, b.ledger, sameBasis),
    arenas: a.heap && b.heap && compareArenas(a.heap, b.heap, sameProcess),
    sizeClasses: sizeClassesOf(a.heap?.sizeClasses ?? null, b.heap?.sizeClasses ?? null),
    threads: a.heap && b.heap && compareThreads(a.heap.threads, b.heap.threads, sameProcess),
    findings: compareFindings(a.findings, b.findings),
  }
}

function sideOf({ target, complete }: Report): DiffSide {
  const { kind, label, pid, executable, glibc } = target
  return { kind, label, pid, executable, glibcVersion: glibc?.version ?? null, complete }
}

// main_arena lies where the loader put libc, which is another place in each process.
function isSameProcess(a: Report, b: Report): boolean {
  const main = ({ heap }: Report) => heap?.arenas.find(({ isMain }) => isMain)?.address
  const same = a.target.pid !== null && a.target.pid === b.target.pid
  return same && a.target.executable === b.target.executable && main(a) === main(b)
}

/** What resident bytes are counts of: what is in RAM, or what a core holds. */
function basisOf({ ledger, target }: Report): Ledger['basis'] {
  return ledger?.basis ?? (target.kind === 'core' ? 'saved' : 'rss')
}

function problemsOf(a: Report, b: Report, sameBasis: boolean): string[] {
  const said = [['A', a] as const, ['B', b] as const].flatMap(([side, { complete, problems, heap }]) => {
    const why = problems[0] ?? heap?.anomalies[0]?.what
    return complete ? [] : [`${side} is partial${why === undefined ? '' : `: ${why}`}`]
  })
  if (!sameBasis)
    said.push(
      'resident memory is not compared: of a live process it is what is in RAM, of a core what was saved',
    )
  for (const [side, { heap }] of [['A', a] as const, ['B', b] as const])
    if (!heap) said.push(`no glibc malloc was found in ${side}: arenas, sizes and threads are not compared`)
  return said
}

function figuresOf(a: Report, b: Report, sameBasis: boolean): DiffFigure[] {
  return METRIC_NAMES.map((metric) => {
    const { unit, of } = METRICS[metric]
    const change = metric === 'rss' && !sameBasis ? incomparable : growth
    return { metric, unit, ...change(of(a), of(b)) }
  })
}

// Without mappings nothing is in RAM, unless nothing at all is known of RAM.
function nothingOf(sums: readonly CategorySum[]): Pick<CategorySum, 'virtualBytes' | 'residentBytes'> {
  return {
    virtualBytes: 0,
    residentBytes: sums.every(({ residentBytes }) => residentBytes === null) ? null : 0,
  }
}

function categoriesOf(
  a: readonly CategorySum[],
  b: readonly CategorySum[],
  sameBasis: boolean,
): DiffCategory[] {
  const [inA, inB] = [a, b].map((sums) => new Map(sums.map((sum) => [sum.category, sum])))
  const names = new Set([...CATEGORIES, ...inA!.keys(), ...inB!.keys()])
  return [...names].flatMap((category) => {
    const [from, to] = [inA!.get(category), inB!.get(category)]
    if (!from && !to) return []
    const before = from ?? nothingOf(a)
    const after = to ?? nothingOf(b)
    const change = sameBasis ? growth : incomparable
    return {
      category,
      virtualBytes: growth(before.virtualBytes, after.virtualBytes),
      residentBytes: change(before.residentBytes, after.residentBytes),
    }
  })
}

const NOT_TOLD_APART = 'malloc: not told apart'

function ledgerOf(a: Report, b: Report, ofA: Ledger, ofB: Ledger, sameBasis: boolean): DiffLedgerLine[] {
  const [inA, inB] = [ofA, ofB].map(
    ({ entries }) => new Map(entries.map(({ line, residentBytes }) => [line, residentBytes])),
  )
  const change = sameBasis ? growth : incomparable
  const names = new Set([...LEDGER_LINES, ...inA!.keys(), ...inB!.keys()])
  const lines = [...names].flatMap((line): DiffLedgerLine[] => {
    if (!inA!.has(line) && !inB!.has(line)) return []
    // What malloc holds and is not told apart could be in any of malloc's lines: each is a lower bound then.
    const isMalloc = line.startsWith('malloc: ')
    const doubted = (report: Report, entries: ReadonlyMap<string, number>) =>
      isMalloc && (!report.heap || entries.has(NOT_TOLD_APART))
    const isDoubtA = doubted(a, inA!)
    const isDoubtB = doubted(b, inB!)
    const from = inA!.get(line) ?? (isDoubtA ? null : 0)
    const to = inB!.get(line) ?? (isDoubtB ? null : 0)
    return [{ line, ...(isDoubtA || isDoubtB ? incomparable(from, to) : change(from, to)) }]
  })
  return [...lines, { line: 'unaccounted', ...change(ofA.unaccountedBytes, ofB.unaccountedBytes) }]
}

function sizeClassesOf(
  a: readonly ReportSizeClass[] | null,
  b: readonly ReportSizeClass[] | null,
): DiffSizeClass[] | null {
  if (!a || !b) return null
  const [inA, inB] = [a, b].map((rows) => new Map(rows.map((row) => [row.minBytes, row])))
  const least = [...new Set([...inA!.keys(), ...inB!.keys()])].sort((one, other) => one - other)
  return least.map((minBytes) => {
    const [from, to] = [inA!.get(minBytes), inB!.get(minBytes)]
    const change = (key: 'liveBytes' | 'liveChunks' | 'freeBytes'): Growth =>
      growth(from?.[key] ?? 0, to?.[key] ?? 0)
    return {
      minBytes,
      maxBytes: (to ?? from)!.maxBytes,
      liveBytes: change('liveBytes'),
      liveChunks: change('liveChunks'),
      freeBytes: change('freeBytes'),
    }
  })
}
