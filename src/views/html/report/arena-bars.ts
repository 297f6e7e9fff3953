// One bar for each arena, the largest first: what malloc holds there, and what of it is in RAM.
import { bytesText, countOf, countText, percentOf, percentText } from '../../../format/sizes.js'
import type { Report, ReportArena } from '../../../report/report.js'
import { type Html, html } from '../page.js'
import type { Fill } from './parts.js'
import { bytesHtml, type Part, stackedBar } from './stacked-bar.js'
import { residentName } from './tables.js'

const MOST_BARS = 128

type Basis = 'held' | 'resident'

/** Names of the parts, in the order of a bar. */
const LEGEND: Readonly<Record<Basis, readonly (readonly [fill: Fill, name: string])[]>> = {
  held: [
    ['live', 'live'],
    ['tcache', 'tcache'],
    ['fastbins', 'fastbins'],
    ['free', 'free in bins'],
    ['top', 'top'],
    ['overhead', 'overhead'],
    ['damaged', 'unknown: damaged or not read'],
  ],
  resident: [
    ['live', 'live'],
    ['tcache', 'tcache'],
    ['fastbins', 'fastbins'],
    ['free', 'bins, trimmable'],
    ['pinned', 'bins, pinned'],
    ['top', 'top'],
    ['overhead', 'overhead'],
    ['reserved', 'left in reserved space'],
    ['damaged', 'not told apart; all that malloc holds there'],
  ],
}

export function arenaBars(report: Report): Html {
  const { heap } = report
  if (!heap || heap.arenas.length === 0) return html``
  const { arenas } = heap
  const hasResident = arenas.some(({ resident }) => resident !== null)
  const choice = hasResident
    ? html`<p class="controls" hidden><span role="group" aria-label="What the bars show"><button type="button" data-basis="resident" aria-pressed="true">${residentName(report)}</button><button type="button" data-basis="held" aria-pressed="false">what malloc holds</button></span></p>`
    : ''
  return html`<section id="arenas"><h2>${countOf(arenas.length, 'arena')}</h2>
<p class="soft">The largest first, all on one scale; the share is what is in use of it, headers and tcaches included.${hasResident ? ' Trimmable is what lies in whole free pages, pinned the rest of what is free: live chunks hold those pages.' : ''}</p>
${choice}${hasResident ? chart(arenas, 'resident', false) : ''}${chart(arenas, 'held', hasResident)}</section>`
}

function chart(arenas: readonly ReportArena[], basis: Basis, isHidden: boolean): Html {
  const rows = arenas.map((arena) => ({ arena, parts: partsOf(arena, basis) }))
  const bytesOf = ({ parts }: { parts: readonly Part[] }) => parts.reduce((sum, { bytes }) => sum + bytes, 0)
  rows.sort((a, b) => bytesOf(b) - bytesOf(a) || a.arena.index - b.arena.index)
  const most = Math.max(1, ...rows.slice(0, 1).map(bytesOf))
  const used = new Set(
    rows.flatMap(({ parts }) => parts.filter(({ bytes }) => bytes > 0).map(({ fill }) => fill)),
  )
  const more = rows.length - MOST_BARS
  return html`<div data-basis-chart="${basis}"${isHidden ? html` hidden` : ''}>
<ul class="legend">${LEGEND[basis].filter(([fill]) => used.has(fill)).map(([fill, name]) => html`<li><i class="swatch f-${fill}"></i>${name}</li>`)}</ul>
<ol class="arena-bars">${rows.slice(0, MOST_BARS).map((row) => bar(row.arena, row.parts, bytesOf(row), most))}</ol>
${more > 0 ? html`<p class="soft">and ${countText(more)} smaller arenas: they are in the table</p>` : ''}</div>`
}

function bar(arena: ReportArena, parts: readonly Part[], bytes: number, most: number): Html {
  const name = arenaName(arena.index, arena.isMain)
  const use = percentText(percentOf(arena.inUseBytes, arena.systemBytes))
  const told = parts.filter((part) => part.bytes > 0).map((part) => `${part.name} ${bytesText(part.bytes)}`)
  return html`<li><span class="name" title="${arena.address}">${arena.isMain ? 'main' : arena.index}</span>${stackedBar(parts, most, `${name}: ${told.join(', ')}`)}<span class="number">${bytesHtml(bytes)}</span><span class="number soft">${use}</span></li>`
}

function partsOf(arena: ReportArena, basis: Basis): readonly Part[] {
  const values = basis === 'held' ? heldParts(arena) : residentParts(arena)
  return LEGEND[basis].map(([fill, name]) => ({ fill, name, bytes: values[fill] ?? 0 }))
}

type Values = Partial<Record<Fill, number | null>>

function heldParts(arena: ReportArena): Values {
  const { liveBytes, tcacheBytes, fastbinBytes, binnedBytes, topBytes, overheadBytes, systemBytes } = arena
  const known = {
    live: liveBytes,
    tcache: tcacheBytes,
    fastbins: fastbinBytes,
    free: binnedBytes,
    top: topBytes,
    overhead: overheadBytes,
  }
  return { ...known, damaged: missing(Object.values(known), systemBytes ?? arena.committedBytes) }
}

function residentParts({ resident, systemBytes, committedBytes }: ReportArena): Values {
  if (!resident) return { damaged: systemBytes ?? committedBytes }
  return {
    live: resident.liveBytes,
    tcache: resident.tcacheBytes,
    fastbins: resident.fastbinBytes,
    free: resident.trimmableBytes,
    pinned: resident.pinnedBytes,
    top: resident.topBytes,
    overhead: resident.overheadBytes,
    reserved: resident.reservedBytes,
  }
}

// What no known part holds: only where one is unknown.
function missing(parts: readonly (number | null)[], whole: number): number {
  if (parts.every((part) => part !== null)) return 0
  return Math.max(0, whole - parts.reduce<number>((sum, part) => sum + (part ?? 0), 0))
}

/** `main arena`, `arena 5`. */
export function arenaName(index: number, isMain = index === 0): string {
  return isMain ? 'main arena' : `arena ${index}`
}
