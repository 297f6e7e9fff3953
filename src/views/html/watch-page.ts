// A watch as one HTML file: findings, charts over time, what grew most.
import type { Finding } from '../../findings/finding.js'
import { dateText, zoneText } from '../../format/clock.js'
import { durationText } from '../../format/durations.js'
import { bytesText, countText, percentText } from '../../format/sizes.js'
import { LEDGER_LINES, type LedgerLine } from '../../maps/ledger.js'
import { growerText } from '../../watch/growers.js'
import type { ExtremeFigure, Point } from '../../watch/history.js'
import { figureOf } from '../../watch/series.js'
import type { WatchSummary } from '../../watch/summary.js'
import { type Html, html, htmlPage } from './page.js'
import type { WatchChartData } from './watch-chart-data.js'

/** Categories that are drawn one by one, the largest; the rest is one. */
const MOST_CATEGORIES = 9

export interface WatchPageOptions {
  /** Text of `dist/browser/watch-chart.js`. */
  readonly script: string
  /** IANA name of the zone that times are told in. */
  readonly zone: string
}

/** The whole file. */
export function watchPage(summary: WatchSummary, { script, zone }: WatchPageOptions): string {
  const { target, first, last, end, findings } = summary
  const name = target.executable?.split('/').at(-1) ?? 'process'
  const when = first && last ? `${dateText(first.atMs)} to ${dateText(last.atMs)}` : 'no sample'
  const offset = last ? ` (${zoneText(last.atMs)})` : ''
  const stretched =
    summary.stretchedToMs === null
      ? ''
      : `, stretched to ${durationText(summary.stretchedToMs)} where sampling took long`
  const body = html`<h1>${name} · ${target.label}: memory over time</h1>
<p class="soft">${when}, times in ${zone}${offset} · ${countText(summary.samples)} samples, one every ${durationText(summary.everyMs)}${stretched}${end ? ` · ${end.text}` : ' · still running when this was written'} · glibc ${target.glibcVersion ?? 'unknown'}</p>
${findings.length > 0 ? findings.map(findingHtml) : html`<p>No finding: nothing grew in a way that the rules know, or there was too little to tell.</p>`}
<h2>Memory</h2>
<p class="soft">RSS is what is in RAM, its band the least and most where a point stands for several samples; system is what malloc's arenas hold, in use what of it the program and its tcaches hold. Drag to zoom, double-click to zoom out.</p>
<div class="chart" id="memory" role="img" aria-label="Chart of RSS, system bytes and bytes in use over time; first and last values are in the table of figures"></div>
<h2>Where the resident memory is</h2>
<div class="chart" id="categories" role="img" aria-label="Stacked chart of resident memory by category over time; what grew is in the table below"></div>
<h2>Arenas</h2>
<div class="chart" id="arenas" role="img" aria-label="Chart of the number of arenas over time"></div>
<noscript><p>The charts need JavaScript; the tables below do not.</p></noscript>
${figures(summary)}
${growersTable(summary)}
${summary.problems.length > 0 ? html`<h2>Notes</h2><ul>${summary.problems.map((problem) => html`<li>${problem}</li>`)}</ul>` : ''}`
  return htmlPage({
    title: `${name} ${target.label}: memory over time`,
    body,
    data: chartData(summary, zone),
    script,
    style: CSS,
  })
}

const CSS = `.chart { min-height: 16rem; border: 1px solid var(--line); background: var(--raised); padding: .5rem; overflow: hidden }
.finding { border-left: 4px solid currentColor; padding: .25rem 1rem; margin: 1rem 0 }
.finding > * { color: var(--ink) } .finding h2 { margin: 0 } .finding h2 b { color: inherit }
.finding.critical b { color: var(--critical) } .finding.warning b { color: var(--warning) } .finding.info b { color: var(--info) }
.finding dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: .5rem 0 }
.finding dd { margin: 0; font-variant-numeric: tabular-nums }
:root { --pinned: #a61e4d; --stacks: #2b8a3e; --mmapped: #1864ab; --anonymous: #862e9c; --file: #868e96 }
@media (prefers-color-scheme: dark) {
  :root { --pinned: #f783ac; --stacks: #69db7c; --mmapped: #74c0fc; --anonymous: #da77f2; --file: #adb5bd }
}`

function findingHtml(finding: Finding): Html {
  const { severity, title, evidence, nextStep, fixes = [], why, rule } = finding
  return html`<section class="finding ${severity}"><h2><b>${severity.toUpperCase()}</b> ${title}</h2>
<p>${nextStep}</p>
${fixes.length > 0 ? html`<ul>${fixes.map(({ text, note, restart, how }) => html`<li><code>${text}</code>${restart && how !== 'mallopt' ? ' and restart' : ''}${note === null ? '' : `: ${note}`}</li>`)}</ul>` : ''}
${why === undefined ? '' : html`<p class="soft">${why}</p>`}
<dl>${evidence.map(({ label, value, unit }) => html`<dt>${label}</dt><dd>${valueText(value, unit)}</dd>`)}</dl>
<p class="soft">rule ${rule}</p></section>`
}

function valueText(value: number | string | null, unit: Finding['evidence'][number]['unit']): string {
  if (typeof value !== 'number') return value ?? 'unknown'
  if (unit === 'bytes') return `${bytesText(value)} (${countText(value)} bytes)`
  return unit === 'percent' ? percentText(value) : countText(value)
}

const FIGURES = [
  ['RSS', 'rssBytes'],
  ['swap', 'swapBytes'],
  ['system bytes of all arenas', 'systemBytes'],
  ['in use', 'inUseBytes'],
  ['free, in bins', 'freeInBinsBytes'],
  ['mmapped chunks', 'mmappedBytes'],
  ['arenas', 'arenas'],
] as const satisfies readonly (readonly [string, ExtremeFigure])[]

function figures({ first, last, extremes }: WatchSummary): Html {
  if (!first || !last) return html``
  const rows = FIGURES.map(([title, figure]) => {
    const text = figure === 'arenas' ? countText : bytesText
    const range = extremes[figure]
    const cells = [first[figure], last[figure], range?.[0] ?? null, range?.[1] ?? null]
    return html`<tr><td>${title}</td>${cells.map((value) => html`<td class="number">${text(value)}</td>`)}</tr>`
  })
  return html`<h2>Figures</h2><div class="scroll"><table><thead><tr><th>figure</th><th class="number">at first</th><th class="number">at last</th><th class="number">least</th><th class="number">most</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

function growersTable({ growers }: WatchSummary): Html {
  if (growers.length === 0) return html`<h2>What grew most</h2><p>Nothing.</p>`
  const rows = growers.map(
    (grower) =>
      html`<tr><td>${growerText(grower)}</td><td class="number">${bytesText(grower.fromBytes)}</td><td class="number">${bytesText(grower.toBytes)}</td><td class="number">+${bytesText(grower.grewBytes)}</td></tr>`,
  )
  return html`<h2>What grew most</h2><div class="scroll"><table id="growers"><thead><tr><th>category or arena</th><th class="number">at first</th><th class="number">at last</th><th class="number">grew by</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

/** Columns for the charts. */
export function chartData({ history }: Pick<WatchSummary, 'history'>, zone: string): WatchChartData {
  const column = (of: (point: Point) => number | null) => history.map(of)
  return {
    times: history.map(({ sample }) => sample.atMs / 1000),
    zone,
    rss: column(({ sample }) => sample.rssBytes),
    rssLeast: column(({ extremes }) => extremes.rssBytes?.[0] ?? null),
    rssMost: column(({ extremes }) => extremes.rssBytes?.[1] ?? null),
    system: column(({ sample }) => sample.systemBytes),
    inUse: column(({ sample }) => sample.inUseBytes),
    arenas: column(({ sample }) => sample.arenas),
    categories: categoriesOf(history),
  }
}

function categoriesOf(history: readonly Point[]): WatchChartData['categories'] {
  const most = (line: LedgerLine) => Math.max(0, ...history.map(({ sample }) => figureOf(sample, line) ?? 0))
  const drawn = LEDGER_LINES.map((line) => ({ line, bytes: most(line) }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes)
  const own = drawn.slice(0, MOST_CATEGORIES).map(({ line }) => line)
  const rest = drawn.slice(MOST_CATEGORIES).map(({ line }) => line)
  const columns = own.map((line) => ({
    name: line as string,
    bytes: history.map(({ sample }) => stackable(sample, line)),
  }))
  if (rest.length === 0) return columns
  const sum = history.map(({ sample }) => {
    const parts = rest.map((line) => stackable(sample, line))
    return parts.every((part) => part !== null) ? parts.reduce((all, part) => all + part, 0) : null
  })
  return [...columns, { name: `${rest.length} smaller categories`, bytes: sum }]
}

// A part that is not told apart is in the line that says so: in a stack it takes no room of its own.
function stackable(sample: Point['sample'], line: LedgerLine): number | null {
  return sample.categories === null ? null : (figureOf(sample, line) ?? 0)
}
