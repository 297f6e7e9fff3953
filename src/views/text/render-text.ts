// The text report: the verdict, then the evidence, then the tables. Strings of the target are made printable.

import { createColors } from 'picocolors'
import type { Finding, Severity } from '../../findings/finding.js'
import { printable } from '../../format/printable.js'
import { bytesText, countOf, countText, percentOf, percentText } from '../../format/sizes.js'
import type { Report, ReportHeapModel } from '../../report/report.js'
import { rulesText } from '../../report/rules-text.js'
import { stopText } from '../../report/stop-text.js'
import { arenasTable } from './arenas-table.js'
import { ledgerTable } from './ledger-table.js'
import { mapsTable } from './maps-table.js'

export interface TextOptions {
  readonly color: boolean
  /** Arenas shown in the report's table; all of them by the `arenas` command. */
  readonly mostArenas?: number
}

export type Colors = ReturnType<typeof createColors>

const MOST_ARENAS = 16
const MOST_ANOMALIES = 20

/** The whole report; ends with a newline. */
export function renderText(report: Report, options: TextOptions): string {
  const colors = createColors(options.color)
  const { heap } = report
  const parts = [
    headline(report, colors),
    report.findings.map((finding) => findingText(finding, colors)).join('\n\n') || verdictWithout(report),
    ...rulesText(report.rules).map((text) => ` Judged by   ${printable(text)}`),
    ...(report.ledger ? [ledgerTable(report.ledger)] : []),
    mapsTable(report.maps.categories),
    ...(heap ? [heapText(heap, colors, options.mostArenas ?? MOST_ARENAS)] : []),
    ...(heap && heap.anomalies.length > 0 ? [anomaliesText(heap, colors)] : []),
    ...(report.problems.length > 0 ? [problemsText(report, colors)] : []),
  ]
  return `${parts.join('\n\n')}\n`
}

function headline({ target, heap }: Report, colors: Colors): string {
  const name = target.executable?.split('/').at(-1) ?? target.label
  const glibc = target.glibc
    ? `glibc ${target.glibc.version ?? 'of unknown version'} (${LAYOUT_FROM[target.glibc.layoutFrom]}, confirmed by ${target.glibc.confirmedArenas} of ${heap?.arenas.length ?? 0} arenas)`
    : 'no glibc malloc found'
  const parts = [
    colors.bold(printable(name)),
    printable(target.label),
    ...(target.kind === 'core' && target.pid !== null ? [`pid ${target.pid}`] : []),
    countOf(target.threads, 'thread'),
    ...stopText(target.stop),
    glibc,
  ]
  return parts.join(' · ')
}

const LAYOUT_FROM = {
  'debug-info': 'layout from debug symbols',
  table: 'main_arena found in memory, layout of this version',
  probe: 'no debug symbols: layout found by probing',
} as const

function paint(severity: Severity, colors: Colors): (text: string) => string {
  if (severity === 'critical') return (text) => colors.bold(colors.red(text))
  if (severity === 'warning') return (text) => colors.bold(colors.yellow(text))
  return colors.cyan
}

/** One finding: verdict, what to do, evidence. */
export function findingText(finding: Finding, colors: Colors): string {
  const evidence = finding.evidence.map(({ label, value, unit }) => {
    const text =
      typeof value !== 'number'
        ? (value ?? 'unknown')
        : unit === 'bytes'
          ? `${bytesText(value)} (${countText(value)} bytes)`
          : unit === 'percent'
            ? percentText(value)
            : countText(value)
    return `           ${printable(label)}: ${printable(text)}`
  })
  const severity = paint(finding.severity, colors)(finding.severity.toUpperCase().padEnd(8))
  return [
    ` ${severity}  ${colors.bold(printable(finding.title))}`,
    ...fixLines(finding),
    `   rule    ${finding.rule}`,
    ...evidence,
  ].join('\n')
}

// The exact text first, what it does behind it; without fixes the next step says what to do.
function fixLines({ fixes = [], nextStep, why }: Finding): string[] {
  const firstFix = fixes.find(({ how }) => how !== 'command')
  const lines = fixes.map((fix) => {
    const { how, text, restart, note } = fix
    const label = how === 'command' ? 'do now' : fix === firstFix ? 'fix' : 'or'
    const what = `${printable(text)}${restart && how !== 'mallopt' ? ' and restart' : ''}`
    return `   ${label.padEnd(8)}${what}${note === null ? '' : `   ${printable(note)}`}`
  })
  const reason = why === undefined ? [] : [`   why     ${printable(why)}`]
  return [...(lines.length > 0 ? lines : [`   do      ${printable(nextStep)}`]), ...reason]
}

function verdictWithout(report: Report): string {
  return report.heap
    ? ' No finding: nothing that the rules know is wrong with this heap.'
    : ' No verdict on malloc: its arenas were not found.'
}

function heapText(heap: ReportHeapModel, colors: Colors, most: number): string {
  const { totals, mmapped } = heap
  const share = percentText(percentOf(totals.inUseBytes, totals.systemBytes))
  const lines = [
    ` malloc's arenas hold ${exact(totals.systemBytes)}: in use ${exact(totals.inUseBytes)}, ${share}; free ${exact(totals.freeBytes)}`,
    `   in use  live ${exact(totals.liveBytes)} in ${countText(totals.usedChunks)} chunks · tcache ${exact(totals.tcacheBytes)} in ${countText(totals.tcacheChunks)} · overhead ${exact(totals.overheadBytes)}`,
    `   free    bins ${exact(totals.binnedBytes)}, the largest chunk ${exact(totals.largestFreeBytes)} · fastbins ${exact(totals.fastbinBytes)} · top ${exact(totals.topBytes)}`,
    ...(totals.trimReturnsBytes === null
      ? []
      : [` malloc_trim(0) would give back ${exact(totals.trimReturnsBytes)} of resident memory`]),
    ` mmapped chunks: ${countText(mmapped.count)} with ${exact(mmapped.bytes)}`,
  ]
  const shown = [...heap.arenas].sort((a, b) => (b.systemBytes ?? 0) - (a.systemBytes ?? 0)).slice(0, most)
  const rest = heap.arenas.length - shown.length
  const more = rest > 0 ? [colors.dim(` … and ${rest} smaller arenas: arena-inspect arenas`)] : []
  return [...lines, '', arenasTable(shown, heap.arenas.length), ...more].join('\n')
}

function exact(bytes: number | null): string {
  return bytes === null ? 'unknown' : `${bytesText(bytes)} (${countText(bytes)} bytes)`
}

function anomaliesText(heap: ReportHeapModel, colors: Colors): string {
  const shown = heap.anomalies.slice(0, MOST_ANOMALIES)
  const rest = heap.anomalies.length - shown.length
  return [
    colors.yellow(` Anomalies (${heap.anomalies.length}): figures marked * are unknown or bounds`),
    ...shown.map(({ at, code, what }) => `   ${at}  ${code}: ${printable(what)}`),
    ...(rest > 0 ? [`   … and ${rest} more: --format json`] : []),
  ].join('\n')
}

function problemsText(report: Report, colors: Colors): string {
  return [colors.yellow(' Notes'), ...report.problems.map((problem) => `   ${printable(problem)}`)].join('\n')
}
