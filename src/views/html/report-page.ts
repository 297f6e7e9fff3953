// A report as one HTML file: the verdict, pictures of where the memory is, then tables of all of it.
import { countText } from '../../format/sizes.js'
import { type CategorySum, RESERVATIONS } from '../../maps/categories.js'
import type { Piece } from '../../maps/categorize.js'
import type { HeapMap } from '../../report/heap-maps.js'
import type { Report, ReportHeapModel } from '../../report/report.js'
import { type Html, html, htmlPage } from './page.js'
import { arenaBars, arenaName } from './report/arena-bars.js'
import { findingCards } from './report/finding-cards.js'
import { type HeapPiece, heapsInPieces } from './report/heap-of-pieces.js'
import { ledgerSection } from './report/ledger-section.js'
import { FILL_OF_CATEGORY, type Fill } from './report/parts.js'
import type { HeapFigure, HeldColumns, ReportData, ReportTable, SizeColumns } from './report/report-data.js'
import { REPORT_STYLE } from './report/report-style.js'
import { bytesHtml } from './report/stacked-bar.js'
import { tableHtml } from './report/table-html.js'
import { reportTables, residentName } from './report/tables.js'
import { figures, header, targetName, verdict } from './report/verdict.js'
import { visible } from './report/visible-text.js'

/** What the page shows. The file depends on this and the script alone: no clock, no chance. */
export interface ReportFacts {
  readonly report: Report
  /** The address space, sorted by address; empty where only the report is at hand. */
  readonly pieces: readonly Piece[]
  /** As `heapMaps` tells them; empty where only the report is at hand. */
  readonly heaps: readonly HeapMap[]
}

const HATCHES = new Map([
  ['reserved', 'M-2 8 L8 -2 M3 13 L13 3'],
  ['damaged', 'M-2 2 L8 12 M2 -2 L12 8'],
])

/** The whole file. `script`: text of `dist/browser/report.js`. */
export function renderReportHtml(facts: ReportFacts, script: string): string {
  const report = visible(facts.report)
  const { heaps, pieces } = facts
  const heapPieces = heapsInPieces(report.heap?.arenas ?? [], pieces, heaps)
  const tables = reportTables(report, pieces, heaps, heapPieces)
  const data: ReportData = {
    tables,
    held: heldColumns(heapPieces),
    heaps: heaps.flatMap(heapFigure),
    sizes: sizeColumns(report.heap),
  }
  const sections = [
    findingCards(report.findings),
    ledgerSection(report.ledger),
    addressSpace(report),
    arenaBars(report),
    heapMapsSection(data.heaps, report.heap),
    sizesSection(data.sizes, report.heap),
    ...tables.map((table) => tableHtml(table, ...TABLE_TEXTS[table.id]!)),
    notes(report),
  ]
  const body = html`<svg width="0" height="0" class="defs" aria-hidden="true"><defs>${[...HATCHES].map(([name, path]) => html`<pattern id="hatch-${name}" width="10" height="10" patternUnits="userSpaceOnUse"><rect width="10" height="10"/><path d="${path}"/></pattern>`)}</defs></svg>
${header(report)}
<main>${verdict(report)}
${figures(report)}
${contents(report, tables)}
<noscript><p>The map of the address space, the heap maps and the histogram need JavaScript, and tables are short without it.</p></noscript>
${sections}</main>
<footer class="soft"><p>Made by arena-inspect. Nothing of the target's memory is in this file, nothing is fetched, nothing is sent.</p></footer>
<div id="tip" hidden></div>`
  const title = `${targetName(report)} · ${report.target.label}: where the memory is`
  return htmlPage({ title, body, data, script, style: REPORT_STYLE })
}

const TABLE_TEXTS: Readonly<Record<string, readonly [title: string, about: string]>> = {
  'table-arenas': ['Table of arenas', "malloc's arenas with glibc's figures; system = in use + free."],
  'table-heaps': [
    'Table of heaps',
    'The memory that arenas consist of; what a heap holds is by its chunks. Other: headers, fenceposts, and what no chunk tells.',
  ],
  'table-threads': ['Table of threads', 'Which arena each thread uses, and what its tcache keeps.'],
  'table-sizes': [
    'Table of size classes',
    'Chunks of all arenas by size, headers included; mmapped chunks are not among them.',
  ],
  'table-regions': ['Table of regions', 'The address space, every byte of it in one category.'],
  'table-evidence': ['Table of evidence', 'What the findings rest on.'],
  'table-damage': [
    'Table of damage',
    "Places where malloc's own data contradicts itself or could not be read.",
  ],
}

function contents(report: Report, tables: readonly ReportTable[]): Html {
  const links = [
    ...(report.findings.length > 0 ? [['findings', 'findings']] : []),
    ['ledger', 'memory'],
    ['space', 'address space'],
    ...(report.heap
      ? [
          ['arenas', 'arenas'],
          ['heaps', 'heap maps'],
          ['sizes', 'sizes'],
        ]
      : []),
    ...tables.map(({ id }) => [id, TABLE_TEXTS[id]![0].toLowerCase()]),
    ...(report.problems.length > 0 ? [['notes', 'notes']] : []),
  ]
  return html`<nav aria-label="Contents"><ul>${links.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>`
}

function addressSpace(report: Report): Html {
  const shown = report.maps.categories.filter(({ mappings }) => mappings > 0)
  const bytesOf = (sums: readonly CategorySum[]) =>
    sums.reduce((sum, { virtualBytes }) => sum + virtualBytes, 0)
  const reserved = bytesOf(shown.filter(({ category }) => RESERVATIONS.has(category)))
  // Where most is reserved, the rest could hardly be seen beside it.
  const first = reserved * 2 > bytesOf(shown) ? 'committed' : 'space'
  const hasResident = shown.some(({ residentBytes }) => residentBytes !== null && residentBytes > 0)
  const inRam = residentName(report)
  const choices = [
    ['space', 'all addresses'],
    ['committed', 'without reservations'],
    ...(hasResident ? [['resident', inRam]] : []),
  ]
  return html`<section id="space"><h2>The address space</h2>
<p class="soft">Each rectangle is a region, as large as its size; regions of one category are together. Heaps are split by what their chunks are. Hatched is reserved: addresses only, no memory. A click shows the region in the table.</p>
<p class="controls" id="treemap-controls" hidden><span role="group" aria-label="What sizes mean">${choices.map(([size, name]) => html`<button type="button" data-size="${size}" aria-pressed="${size === first}">${name}</button>`)}</span></p>
<div id="treemap" role="img" aria-label="Map of the address space by category and region; the same regions are in the table of regions"></div>
<ul class="legend" id="treemap-legend" hidden>${HEAP_LEGEND.map(([fill, name]) => html`<li><i class="swatch f-${fill}"></i>${name}</li>`)}</ul>
<div class="scroll"><table class="sums"><thead><tr><th>category</th><th class="number">mappings</th><th class="number">size</th><th class="number">${inRam}</th></tr></thead>
<tbody>${shown.map(
    ({ category, mappings, virtualBytes, residentBytes }) =>
      html`<tr><td>${swatchOf(category)}${category}</td><td class="number">${countText(mappings)}</td><td class="number">${bytesHtml(virtualBytes)}</td><td class="number">${bytesHtml(residentBytes)}</td></tr>`,
  )}</tbody></table></div></section>`
}

const HEAP_LEGEND: readonly (readonly [fill: Fill, name: string])[] = [
  ['live', 'live'],
  ['tcache', 'tcache, fastbins'],
  ['free', 'free in bins'],
  ['pinned', 'bins, pinned'],
  ['top', 'top'],
  ['overhead', 'overhead'],
  ['unknown', 'heaps, not told apart'],
]

function swatchOf(category: CategorySum['category']): Html {
  const fill = FILL_OF_CATEGORY[category]
  return html`<i class="swatch f-${fill}"></i>`
}

function heapFigure({ arena, heap, address, sizeBytes, cells }: HeapMap): readonly HeapFigure[] {
  if (cells === null) return []
  return [{ name: `${arenaName(arena)}, heap ${heap + 1}`, address, sizeBytes, cells }]
}

function heapMapsSection(figures: readonly HeapFigure[], heap: ReportHeapModel | null): Html {
  if (figures.length === 0) return html``
  const all = (heap?.arenas ?? []).reduce((sum, arena) => sum + arena.heaps.length, 0)
  const which =
    figures.length < all ? `The ${figures.length} largest of ${countText(all)} heaps` : 'Each heap'
  return html`<section id="heaps"><h2>Heap maps</h2>
<p class="soft">${which}, from low to high addresses, row by row. A cell is blue by how much of it is live: one live chunk holds its page, whatever is free around it.</p>
<ul class="legend"><li><i class="swatch m-1"></i>live: up to a quarter</li><li><i class="swatch m-2"></i>a half</li><li><i class="swatch m-3"></i>three quarters</li><li><i class="swatch m-4"></i>all</li><li><i class="swatch f-tcache"></i>only tcache or fastbins</li><li><i class="swatch m-free"></i>only free</li><li><i class="swatch f-top"></i>top</li><li><i class="swatch f-damaged"></i>damaged or not read</li></ul>
<div class="heap-maps">${figures.map(
    ({ name, address }, index) =>
      html`<figure data-heap="${index}"><figcaption><b>${name}</b> <span class="mono soft">${address}</span></figcaption><canvas tabindex="0" role="img" aria-label="${name}" aria-describedby="heap-${index}"></canvas><p class="soft readout" id="heap-${index}" aria-live="polite"></p></figure>`,
  )}</div></section>`
}

function sizesSection(sizes: SizeColumns | null, heap: ReportHeapModel | null): Html {
  if (!heap) return html``
  const text =
    sizes === null
      ? html`<p>Unknown: not every chunk was seen.</p>`
      : html`<p class="soft">Chunks of all arenas by size, headers included: what the program holds, and what lies in bins.</p>
<p class="controls" id="sizes-controls" hidden><span role="group" aria-label="What bars show"><button type="button" data-figure="bytes" aria-pressed="true">bytes</button><button type="button" data-figure="chunks" aria-pressed="false">chunks</button></span> <span role="group" aria-label="Scale"><button type="button" data-scale="linear" aria-pressed="true">linear</button><button type="button" data-scale="log" aria-pressed="false">logarithmic</button></span></p>
<div class="chart" id="sizes-chart" role="img" aria-label="Histogram of chunk sizes, live and free; the same figures are in the table of size classes"></div>`
  return html`<section id="sizes"><h2>Chunk sizes</h2>${text}</section>`
}

function heldColumns(heapPieces: ReadonlyMap<number, HeapPiece>): HeldColumns {
  const known = [...heapPieces].flatMap(([row, { uses }]) => (uses ? [{ row, uses }] : []))
  return {
    rows: known.map(({ row }) => row),
    live: known.map(({ uses }) => uses.live),
    cached: known.map(({ uses }) => uses.cached),
    free: known.map(({ uses }) => uses.free),
    top: known.map(({ uses }) => uses.top),
    other: known.map(({ uses }) => uses.other),
  }
}

function sizeColumns(heap: ReportHeapModel | null): SizeColumns | null {
  const rows = heap?.sizeClasses
  if (!rows) return null
  return {
    minBytes: rows.map((row) => row.minBytes),
    maxBytes: rows.map((row) => row.maxBytes),
    liveChunks: rows.map((row) => row.liveChunks),
    liveBytes: rows.map((row) => row.liveBytes),
    freeChunks: rows.map((row) => row.freeChunks),
    freeBytes: rows.map((row) => row.freeBytes),
  }
}

function notes({ problems, target }: Report): Html {
  const lines = [
    ...problems,
    ...(target.kind === 'live'
      ? [
          'Heap maps and the table of heaps were read after the figures, while the process ran: they may differ a little.',
        ]
      : []),
  ]
  if (lines.length === 0) return html``
  return html`<section id="notes"><h2>Notes</h2><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul></section>`
}
