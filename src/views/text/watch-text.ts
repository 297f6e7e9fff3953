// A watch for people: a line a sample, what stands below them on a terminal, and the summary at the end.
import { createColors } from 'picocolors'
import sparkly from 'sparkly'
import stringWidth from 'string-width'
import type { Finding } from '../../findings/finding.js'
import { clockText, dateText, zoneText } from '../../format/clock.js'
import { durationText } from '../../format/durations.js'
import { printable } from '../../format/printable.js'
import { bytesText, countOf, countText } from '../../format/sizes.js'
import { type Grower, growerText, topGrowers } from '../../watch/growers.js'
import type { ExtremeFigure, Extremes, Point } from '../../watch/history.js'
import type { Sample } from '../../watch/sample.js'
import type { WatchSummary } from '../../watch/summary.js'
import { plainTable } from './plain-table.js'
import { type Colors, findingText } from './render-text.js'

/** What the block below the lines shows. */
export interface WatchState {
  readonly points: readonly Point[]
  readonly first: Sample
  readonly previous: Sample | null
  readonly last: Sample
  readonly findings: readonly Finding[]
}

const DAY_MS = 86_400_000
const LINE_GROWERS = 1
const BLOCK_GROWERS = 3
const SUMMARY_GROWERS = 5

/** Which process is watched, how often, and in which zone times are. */
export function watchHeadline(
  label: string,
  executable: string | null,
  everyMs: number,
  atMs: number,
): string {
  const name = executable?.split('/').at(-1) ?? 'process'
  return `${printable(name)} · ${printable(label)} · every ${durationText(everyMs)} · ${dateText(atMs)}, times in ${zoneText(atMs)}`
}

/** One sample in a line: figures, what they changed by since the sample before, and what grew most. */
export function watchLine(sample: Sample, previous: Sample | null): string {
  const cell = (title: string, key: ExtremeFigure, text: (value: number | null) => string, width: number) => {
    const value = sample[key]
    const before = previous?.[key] ?? null
    const change = value === null || before === null ? '' : changeText(value - before, text)
    return `${title} ${text(value).padStart(width)} ${change.padStart(width + 1)}`
  }
  const grown = previous ? topGrowers(previous, sample, LINE_GROWERS).map(grownText) : []
  const notes = [...grown, ...(sample.movingArenas > 0 ? [`${sample.movingArenas} moving`] : [])]
  const isNewDay = previous !== null && clockDay(previous.atMs) !== clockDay(sample.atMs)
  return [
    isNewDay ? dateText(sample.atMs) : clockText(sample.atMs),
    cell('RSS', 'rssBytes', bytesText, 10),
    cell('arenas', 'arenas', countText, 3),
    cell('system', 'systemBytes', bytesText, 10),
    cell('in use', 'inUseBytes', bytesText, 10),
    notes.join(' · '),
  ]
    .join('  ')
    .trimEnd()
}

function clockDay(atMs: number): string {
  return dateText(atMs).slice(0, 10)
}

function changeText(change: number, text: (value: number) => string): string {
  return change === 0 ? '=' : `${change > 0 ? '+' : ''}${text(change)}`
}

function grownText(grower: Grower): string {
  const { grewBytes } = grower
  return `${printable(growerText(grower))} ${grewBytes > 0 ? '+' : ''}${bytesText(grewBytes)}`
}

const ROWS = [
  ['RSS', 'rssBytes', bytesText],
  ['system', 'systemBytes', bytesText],
  ['in use', 'inUseBytes', bytesText],
  ['arenas', 'arenas', countText],
] as const satisfies readonly (readonly [string, ExtremeFigure, (value: number | null) => string])[]

/** Room for figures beside a sparkline. */
const FIGURES_WIDTH = 48
const LEAST_SPARKS = 8
const MOST_SPARKS = 100

/** The lines that are drawn in place below, each at most `width` columns wide. */
export function watchBlock(state: WatchState, width: number, color: boolean): readonly string[] {
  const colors = createColors(color)
  const { points, first, previous, last, findings } = state
  const sparks = Math.max(LEAST_SPARKS, Math.min(MOST_SPARKS, width - FIGURES_WIDTH))
  const rows = ROWS.map(([title, figure, text]) => {
    const range = rangeText(rangeOf(points, figure), text)
    const line = sparkline(points, figure, sparks)
    return ` ${title.padEnd(7)} ${line} ${text(last[figure]).padStart(10)}  ${range}`
  })
  const since = (sample: Sample, what: string) => {
    const grown = topGrowers(sample, last, BLOCK_GROWERS).map(grownText)
    return ` grew ${what}: ${grown.join(' · ') || 'nothing'}`
  }
  const told = findings.map(({ severity, title }) => ({
    severity,
    text: ` ${severity.toUpperCase()} ${printable(title)}`,
  }))
  return [
    ...rows.map((row) => clipped(row, width)),
    clipped(since(first, `since ${clockText(first.atMs)}`), width),
    ...(previous ? [clipped(since(previous, 'since the last'), width)] : []),
    ...told.map(({ severity, text }) => severityColor(severity, colors)(clipped(text, width))),
  ]
}

function severityColor(severity: Finding['severity'], colors: Colors): (text: string) => string {
  return severity === 'critical' ? colors.red : severity === 'warning' ? colors.yellow : colors.cyan
}

/** `cells` characters: each the last known value of its share of the time; a blank where none is known. */
export function sparkline(points: readonly Point[], figure: ExtremeFigure, cells: number): string {
  const values = points.map(({ sample }) => sample[figure])
  const per = Math.max(1, values.length / cells)
  const shown = Array.from({ length: Math.min(cells, values.length) }, (_, cell) => {
    const part = values.slice(Math.floor(cell * per), Math.floor((cell + 1) * per))
    return part.findLast((value) => value !== null) ?? Number.NaN
  })
  return (shown.every(Number.isNaN) ? ' '.repeat(shown.length) : sparkly(shown)).padEnd(cells)
}

function rangeOf(points: readonly Point[], figure: ExtremeFigure): readonly [number, number] | null {
  const ranges = points.flatMap(({ extremes }) => {
    const range = extremes[figure]
    return range ? [range] : []
  })
  if (ranges.length === 0) return null
  return [Math.min(...ranges.map(([least]) => least)), Math.max(...ranges.map(([, most]) => most))]
}

function rangeText(
  range: readonly [number, number] | null | undefined,
  text: (value: number) => string,
): string {
  if (!range) return 'unknown'
  return range[0] === range[1] ? 'unchanged' : `${text(range[0])} … ${text(range[1])}`
}

// Cut at whole characters; what is shown has no colours yet.
function clipped(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let cut = ''
  for (const character of text) {
    if (stringWidth(cut + character) > width - 1) break
    cut += character
  }
  return `${cut}…`
}

/** The end of a watch: findings first, then what moved. Ends with a newline. */
export function watchSummaryText(summary: WatchSummary, color: boolean): string {
  const colors = createColors(color)
  const { first, last, findings, end } = summary
  const ended = end ? `${printable(end.text)}; ` : ''
  if (!first || !last) return `${ended}no sample was taken\n`
  const time = last.atMs - first.atMs
  const when = time >= DAY_MS ? dateText : clockText
  const parts = [
    `${ended}${countOf(summary.samples, 'sample')} in ${durationText(time)}, ${when(first.atMs)} to ${when(last.atMs)} (${zoneText(last.atMs)})${troubles(summary)}`,
    findings.map((finding) => findingText(finding, colors)).join('\n\n') || NO_FINDING,
    figuresTable(first, last, summary.extremes),
    growersTable(summary.growers),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

const NO_FINDING = ' No finding: nothing grew in a way that the rules know, or there was too little to tell.'

function troubles({ failures, stretchedToMs, longestSampleMs, everyMs }: WatchSummary): string {
  const longest = `; the longest took ${durationText(longestSampleMs)}`
  const stretched =
    stretchedToMs === null
      ? ''
      : `, so that there was one every ${durationText(stretchedToMs)} instead of every ${durationText(everyMs)}`
  const failed = failures === 0 ? '' : `; ${failures} failed`
  return `${longest}${stretched}${failed}`
}

const FIGURES = [
  ['RSS', 'rssBytes', bytesText],
  ['swap', 'swapBytes', bytesText],
  ['arenas', 'arenas', countText],
  ['system bytes of all arenas', 'systemBytes', bytesText],
  ['in use', 'inUseBytes', bytesText],
  ['free, in bins', 'freeInBinsBytes', bytesText],
  ['mmapped chunks', 'mmappedBytes', bytesText],
] as const satisfies readonly (readonly [string, ExtremeFigure, (value: number | null) => string])[]

function figuresTable(first: Sample, last: Sample, extremes: Extremes): string {
  const rows = FIGURES.map(([title, figure, text]) => {
    const [a, b] = [first[figure], last[figure]]
    const change = a === null || b === null ? 'unknown' : changeText(b - a, text)
    const range = extremes[figure]
    return [title, text(a), text(b), change, text(range?.[0] ?? null), text(range?.[1] ?? null)]
  })
  const titles = ['', 'at first', 'at last', 'change', 'least', 'most']
  const columns = titles.map((title, i) => ({ title, align: i === 0 ? 'left' : 'right' }) as const)
  return indented(plainTable(columns, rows))
}

function growersTable(growers: readonly Grower[]): string {
  const top = (kind: Grower['kind']) => growers.filter((one) => one.kind === kind).slice(0, SUMMARY_GROWERS)
  const rows = [...top('category'), ...top('arena')].map((grower) => [
    printable(growerText(grower)),
    bytesText(grower.fromBytes),
    bytesText(grower.toBytes),
    `+${bytesText(grower.grewBytes)}`,
  ])
  if (rows.length === 0) return ''
  const titles = ['grew most', 'at first', 'at last', 'by']
  const columns = titles.map((title, i) => ({ title, align: i === 0 ? 'left' : 'right' }) as const)
  return indented(plainTable(columns, rows))
}

function indented(table: string): string {
  return table
    .split('\n')
    .map((line) => ` ${line}`)
    .join('\n')
}
