// A diff as tables of texts, which the text, Markdown and HTML views draw alike. Texts of the target are as they are: views
// make them safe.
import { bytesText, countText, percentText } from '../format/sizes.js'
import type { Diff, DiffArena, DiffThread, Growth } from './diff.js'
import { METRICS } from './metrics.js'

export const SORTS = ['growth', 'size', 'name'] as const
export type DiffSort = (typeof SORTS)[number]

export interface TableOptions {
  readonly sort: DiffSort
  /** Rows of a table at most. */
  readonly limit: number
}

export interface DiffRow {
  readonly cells: readonly string[]
  /** What the row is sorted by and its bar shows; null: unknown. */
  readonly grew: number | null
  readonly size: number | null
}

export interface DiffTable {
  readonly title: string
  /** The first one is a name, on the left; the others are numbers, but `texts`. */
  readonly columns: readonly string[]
  readonly texts?: ReadonlySet<number>
  readonly rows: readonly DiffRow[]
  /** Rows behind the limit. */
  readonly left: number
}

/** Tables with something to show: what is the same on both sides is left out, but for the figures. */
export function diffTables(diff: Diff, options: TableOptions): readonly DiffTable[] {
  const tables = [
    figures(diff),
    cut('Resident memory, by what holds it', FROM_TO, diff.ledger?.flatMap(ledgerRow) ?? [], options),
    cut(
      'Address space',
      ['', ...FROM_TO.slice(1), 'resident grew'],
      diff.categories.flatMap(categoryRow),
      options,
    ),
    cut(
      'Arenas, by system bytes',
      ['', 'system in A', 'in B', 'grew', '', 'in use grew', 'free grew'],
      diff.arenas?.flatMap((arena) => arenaRow(arena, diff.sameProcess)) ?? [],
      options,
    ),
    cut(
      'Live chunks, by size',
      ['', 'live in A', 'in B', 'grew', '', 'chunks grew', 'free grew'],
      diff.sizeClasses?.flatMap(sizeRow) ?? [],
      options,
    ),
    cut(
      'Threads, by tcache',
      ['', 'in A', 'in B', 'tcache in A', 'in B', 'grew'],
      diff.threads?.flatMap(threadRow) ?? [],
      options,
    ),
    findings(diff),
  ]
  return tables.filter(({ rows }) => rows.length > 0)
}

const FROM_TO = ['', 'in A', 'in B', 'grew', '']

/** One line: what grew, in the words of the figures. */
export function verdictOf(diff: Diff): string {
  const told = (['in-use', 'free', 'rss'] as const).map((metric) => {
    const figure = diff.figures.find((one) => one.metric === metric)!
    const percent = figure.grewPercent === null ? '' : ` (${signedPercent(figure.grewPercent)})`
    const name = metric === 'rss' ? 'resident' : METRICS[metric].title
    return `${name} ${signedBytes(figure.grew)}${figure.grew === null ? '' : percent}`
  })
  const arenas = diff.arenas ?? []
  const counts = [
    [arenas.filter(({ presence }) => presence === 'new').length, 'new arena'],
    [arenas.filter(({ presence }) => presence === 'gone').length, 'gone arena'],
    [
      diff.findings.filter(({ state }) => state === 'new' || state === 'worse').length,
      'new or worse finding',
    ],
  ] as const
  const counted = counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}${count > 1 ? 's' : ''}`)
  return [...told, ...counted].join(' · ')
}

/** `+1.2 MiB`, `-3.0 KiB`, `0 B`, `unknown`. */
export function signedBytes(bytes: number | null): string {
  return bytes !== null && bytes > 0 ? `+${bytesText(bytes)}` : bytesText(bytes)
}

function signedCount(count: number | null): string {
  if (count === null || count === 0) return countText(count)
  return `${count > 0 ? '+' : '-'}${countText(Math.abs(count))}`
}

/** `+12.5 %`; nothing for what is unknown. */
export function signedPercent(percent: number | null): string {
  if (percent === null) return ''
  if (percent === 0) return percentText(0)
  return `${percent > 0 ? '+' : '-'}${percentText(Math.abs(percent))}`
}

function bytesCells({ from, to, grew, grewPercent }: Growth): string[] {
  return [bytesText(from), bytesText(to), signedBytes(grew), signedPercent(grewPercent)]
}

function figures(diff: Diff): DiffTable {
  const rows = diff.figures.map((figure): DiffRow => {
    const { metric, unit, from, to, grew, grewPercent } = figure
    const cells =
      unit === 'bytes'
        ? bytesCells(figure)
        : [countText(from), countText(to), signedCount(grew), signedPercent(grewPercent)]
    return { cells: [METRICS[metric].title, ...cells], grew: unit === 'bytes' ? grew : null, size: to }
  })
  return { title: 'Figures', columns: FROM_TO, rows, left: 0 }
}

function isSame(...growths: readonly Growth[]): boolean {
  return growths.every(({ from, to, grew }) => grew === 0 || (from === null && to === null))
}

function ledgerRow(line: NonNullable<Diff['ledger']>[number]): DiffRow[] {
  return isSame(line) ? [] : [{ cells: [line.line, ...bytesCells(line)], grew: line.grew, size: line.to }]
}

function categoryRow({ category, virtualBytes, residentBytes }: Diff['categories'][number]): DiffRow[] {
  // Where resident memory is not compared, the size alone says what changed.
  if (virtualBytes.grew === 0 && !residentBytes.grew) return []
  const cells = [category, ...bytesCells(virtualBytes), signedBytes(residentBytes.grew)]
  return [{ cells, grew: virtualBytes.grew, size: virtualBytes.to }]
}

function arenaRow(arena: DiffArena, sameProcess: boolean): DiffRow[] {
  const { systemBytes, inUseBytes, freeBytes } = arena
  if (arena.presence === 'both' && isSame(systemBytes, inUseBytes, freeBytes)) return []
  const cells = [
    arenaName(arena, sameProcess),
    ...bytesCells(systemBytes),
    signedBytes(inUseBytes.grew),
    signedBytes(freeBytes.grew),
  ]
  return [{ cells, grew: systemBytes.grew, size: systemBytes.to }]
}

function arenaName({ indexInA, indexInB, address, presence }: DiffArena, sameProcess: boolean): string {
  const index = indexInB ?? indexInA
  const name = index === 0 ? 'main arena' : `arena ${index}`
  const where = sameProcess ? ` ${address}` : ''
  const note = { both: '', new: ', new', gone: ', gone', unknown: ', unknown whether it was in both' }[
    presence
  ]
  return `${name}${where}${note}`
}

function sizeRow({
  minBytes,
  maxBytes,
  liveBytes,
  liveChunks,
  freeBytes,
}: NonNullable<Diff['sizeClasses']>[number]): DiffRow[] {
  if (isSame(liveBytes, freeBytes)) return []
  const range = `${countText(minBytes)} … ${countText(maxBytes - 1)} bytes`
  const cells = [range, ...bytesCells(liveBytes), signedCount(liveChunks.grew), signedBytes(freeBytes.grew)]
  return [{ cells, grew: liveBytes.grew, size: liveBytes.to }]
}

function threadRow({ tid, name, presence, threads, tcacheBytes }: DiffThread): DiffRow[] {
  if (presence === 'both' && isSame(threads, tcacheBytes)) return []
  const who = tid === null ? (name ?? 'without a name') : `${tid} ${name ?? ''}`.trimEnd()
  const note = presence === 'both' || presence === 'unknown' ? '' : `, ${presence}`
  const { from, to, grew } = tcacheBytes
  const cells = [
    `${who}${note}`,
    countText(threads.from),
    countText(threads.to),
    bytesText(from),
    bytesText(to),
    signedBytes(grew),
  ]
  return [{ cells, grew, size: to }]
}

function findings({ findings: found }: Diff): DiffTable {
  const rows = found.map(({ rule, state, severityInA, severityInB, titleInA, titleInB }): DiffRow => {
    const severity =
      severityInA === severityInB || !severityInA || !severityInB
        ? (severityInB ?? severityInA)!
        : `${severityInA} → ${severityInB}`
    return { cells: [rule, state, severity, titleInB ?? titleInA ?? ''], grew: null, size: null }
  })
  return {
    title: 'Findings',
    columns: ['', '', 'severity', 'in B, or where it was'],
    texts: new Set([1, 2, 3]),
    rows,
    left: 0,
  }
}

function cut(
  title: string,
  columns: readonly string[],
  rows: readonly DiffRow[],
  { sort, limit }: TableOptions,
): DiffTable {
  const sorted = sort === 'name' ? [...rows] : [...rows].sort(byLargest(sort === 'growth' ? 'grew' : 'size'))
  if (sort === 'name') sorted.sort((a, b) => compareNames(a.cells[0]!, b.cells[0]!))
  return { title, columns, rows: sorted.slice(0, limit), left: Math.max(0, sorted.length - limit) }
}

// What is unknown may be anything: after what grew, before what shrank.
function byLargest(key: 'grew' | 'size'): (a: DiffRow, b: DiffRow) => number {
  return (a, b) => (b[key] ?? 0) - (a[key] ?? 0)
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
