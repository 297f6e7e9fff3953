// Pane 1: the verdict, its evidence, the next step, and where the address space goes.
import type { Finding } from '../../../findings/finding.js'
import { bar } from '../../../format/bars.js'
import { printable } from '../../../format/printable.js'
import { bytesText, countText, percentOf, percentText } from '../../../format/sizes.js'
import { type CategorySum, RESERVATIONS } from '../../../maps/categories.js'
import type { Report } from '../../../report/report.js'
import { cell } from '../columns.js'
import { moveInList } from '../list-motion.js'
import { enterPane } from '../navigation.js'
import { type Paint, paintFor } from '../paint.js'
import { bodySize, type Pane, type TuiState } from '../tui-state.js'
import { findingRows, labelled, worstFirst } from './finding-rows.js'
import { ledgerRows } from './ledger-rows.js'

const PLAIN = paintFor(false)
const SIZE_WIDTH = 10

/** What is wrong; what is only worth knowing comes after the numbers, unless there is nothing else to say. */
function split(report: Report): { verdict: Finding[]; notes: Finding[] } {
  const findings = worstFirst(report.findings)
  const wrong = findings.filter((finding) => finding.severity !== 'info')
  return wrong.length === 0
    ? { verdict: findings, notes: [] }
    : { verdict: wrong, notes: findings.slice(wrong.length) }
}

function verdictRows(report: Report, isLoading: boolean, width: number, paint: Paint): string[] {
  if (isLoading) return [` ${paint.title('the heaps are being read: no verdict yet')}`]
  if (report.findings.length > 0)
    return split(report).verdict.flatMap((finding) => findingRows(finding, width, paint))
  const why = report.heap ? 'no rule found anything wrong' : 'no glibc malloc was found in this target'
  return [` ${paint.title(why)}`]
}

function noteRows(report: Report, width: number, paint: Paint): string[] {
  const rows = split(report).notes.flatMap((finding) => findingRows(finding, width, paint))
  return rows.length === 0 ? [] : ['', ...rows]
}

function heapRows(report: Report, width: number, paint: Paint): string[] {
  const heap = report.heap
  if (!heap) return []
  const { systemBytes, inUseBytes, freeBytes, liveBytes, tcacheBytes, topBytes, binnedBytes } = heap.totals
  const share = (bytes: number | null) =>
    bytes === null ? 'unknown' : `${bytesText(bytes)} (${percentText(percentOf(bytes, systemBytes))})`
  const { count, bytes } = heap.mmapped
  const arenas = plural(heap.arenas.length, 'arena', 'arenas')
  const mmapped =
    count === null && bytes === null
      ? 'mmapped chunks unknown'
      : `${bytesText(bytes)} in ${countText(count)} mmapped chunks`
  const malloc = `${bytesText(systemBytes)} in ${arenas} · ${mmapped}`
  return [
    ...labelled('malloc', malloc, width, paint.dim),
    ...labelled('arenas', `in use ${share(inUseBytes)} · free ${share(freeBytes)}`, width, paint.dim),
    ...labelled(
      'of it',
      `live ${share(liveBytes)} · tcache ${share(tcacheBytes)} · bins ${share(binnedBytes)} · top ${share(topBytes)}`,
      width,
      paint.dim,
    ),
    ...trimLine(heap.totals.trimReturnsBytes, width, paint),
    ...doubtLine(report, width, paint),
  ]
}

function trimLine(bytes: number | null, width: number, paint: Paint): string[] {
  return bytes === null
    ? []
    : labelled('trim', `malloc_trim(0) would give back ${bytesText(bytes)}`, width, paint.dim)
}

/** One line near the verdict; the details are at the end of the pane. */
function doubtLine(report: Report, width: number, paint: Paint): string[] {
  const anomalies = report.heap?.anomalies.length ?? 0
  if (report.complete && anomalies + report.problems.length === 0) return []
  const bounds = report.complete ? '' : ': numbers are lower bounds'
  const text = `${plural(anomalies, 'anomaly', 'anomalies')}, ${plural(report.problems.length, 'problem', 'problems')}`
  return labelled('doubt', `${text}${bounds}`, width, paint.error)
}

function plural(count: number, one: string, many: string): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

/** What is missing from the numbers, and the damage that was met. */
function doubtRows(report: Report, width: number, paint: Paint): string[] {
  const anomalies = report.heap?.anomalies ?? []
  const rows: string[] = []
  if (report.problems.length > 0) {
    rows.push('', paint.title(` ${report.complete ? 'Problems' : 'Incomplete'}`))
    rows.push(...report.problems.flatMap((text) => labelled('problem', printable(text), width, paint.dim)))
  }
  if (anomalies.length > 0) {
    rows.push('', paint.title(" Damage in malloc's structures"))
    for (const { at, code, what } of anomalies)
      rows.push(...labelled('damage', printable(`${at} ${what} (${code})`), width, paint.dim))
  }
  return rows
}

function categoryRow(sum: CategorySum, largest: number, hasResident: boolean, width: number, paint: Paint) {
  const drawn = hasResident ? (sum.residentBytes ?? 0) : sum.virtualBytes
  const resident = hasResident ? ` ${cell(bytesText(sum.residentBytes), SIZE_WIDTH, 'right')}` : ''
  const text =
    `   ${cell(sum.category, 22)} ${cell(countText(sum.mappings), 8, 'right')}` +
    ` ${cell(bytesText(sum.virtualBytes), SIZE_WIDTH, 'right')}${resident}  `
  const room = Math.max(0, width - text.length)
  const hollow = RESERVATIONS.has(sum.category)
  const drawing = bar(largest > 0 ? drawn / largest : 0, room)
  return text + (hollow ? paint.dim('░'.repeat(drawing.length)) : paint.bar(drawing))
}

function mapRows(report: Report, width: number, paint: Paint): string[] {
  const sums = report.maps.categories.filter((sum) => sum.virtualBytes > 0)
  if (sums.length === 0) return []
  const hasResident = sums.some((sum) => sum.residentBytes !== null)
  const size = (sum: CategorySum) => (hasResident ? (sum.residentBytes ?? 0) : sum.virtualBytes)
  const largest = Math.max(...sums.map(size))
  const total = (of: (sum: CategorySum) => number) => sums.reduce((bytes, sum) => bytes + of(sum), 0)
  const heading = (name: string, text: string, more: string) =>
    `${cell(name, 25)} ${cell(text, 8, 'right')} ${cell('virtual', SIZE_WIDTH, 'right')}${more}`
  const resident = hasResident ? ` ${cell('resident', SIZE_WIDTH, 'right')}` : ''
  const virtual = bytesText(total((sum) => sum.virtualBytes))
  const inRam = hasResident ? ` ${cell(bytesText(total(size)), SIZE_WIDTH, 'right')}` : ''
  const pieces = countText(total((sum) => sum.mappings))
  return [
    '',
    paint.title(heading(' Where it goes', 'pieces', resident)),
    ...sums.map((sum) => categoryRow(sum, largest, hasResident, width, paint)),
    `   ${cell('total', 22)} ${cell(pieces, 8, 'right')} ${cell(virtual, SIZE_WIDTH, 'right')}${inRam}`,
    ...(hasResident ? [] : [paint.dim('   bars show virtual size: what was in RAM is not known here')]),
  ]
}

function allRows({ loading }: TuiState, report: Report, width: number, paint: Paint): string[] {
  const heap = heapRows(report, width, paint)
  return [
    ...verdictRows(report, loading !== null, width, paint),
    ...(heap.length > 0 ? ['', ...heap] : []),
    ...ledgerRows(report.ledger, width, paint),
    ...mapRows(report, width, paint),
    ...noteRows(report, width, paint),
    ...doubtRows(report, width, paint),
  ]
}

/** The overview: scrolls as a whole, Enter leads to the arenas. */
export const overviewPane: Pane = {
  id: 'overview',
  title: 'Overview',
  help: [{ keys: 'Enter', does: 'to the arenas' }],
  hints: [
    { keys: 'Enter', does: 'arenas' },
    { keys: 'j k', does: 'scroll' },
  ],

  onKey(state, key, session) {
    if (key === 'enter') return enterPane(state, 'arenas')
    const { columns, rows } = bodySize(state)
    const highest = Math.max(0, allRows(state, session.report, columns, PLAIN).length - rows)
    const top = moveInList(key, state.overview.top, highest + 1, rows)
    return top === null ? null : { ...state, overview: { top } }
  },

  settle(state, session) {
    const { columns, rows } = bodySize(state)
    const highest = Math.max(0, allRows(state, session.report, columns, PLAIN).length - rows)
    return state.overview.top <= highest ? state : { ...state, overview: { top: highest } }
  },

  rows(state, session, paint) {
    const { columns, rows } = bodySize(state)
    const all = allRows(state, session.report, columns, paint)
    const shown = all.slice(state.overview.top, state.overview.top + rows)
    const below = all.length - state.overview.top - rows
    if (below > 0) shown[rows - 1] = paint.dim(` ↓ ${plural(below + 1, 'more line', 'more lines')}`)
    return shown
  },
}
