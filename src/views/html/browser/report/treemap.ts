// The address space as a map: categories, their regions, and what malloc's heaps hold.
import {
  type HierarchyRectangularNode,
  hierarchy,
  treemap,
  treemapSlice,
  treemapSquarify,
} from 'd3-hierarchy'
import { bytesText, countText } from '../../../../format/sizes.js'
import { type Category, RESERVATIONS } from '../../../../maps/categories.js'
import { cellText } from '../../report/cell-text.js'
import { FILL_OF_CATEGORY, type Fill } from '../../report/parts.js'
import type {
  HeldColumns,
  NumberColumn,
  ReportData,
  ReportTable,
  TextColumn,
  WordColumn,
} from '../../report/report-data.js'
import { hideTip, showTip } from './tip.js'

/** Regions of a category that are drawn one by one. */
const MOST_REGIONS = 160
const HEADING = 18
/** Width of a letter by the look of a label. */
const LETTER = { category: 7.6, 'on-ground': 6.6 } as const

interface Node {
  readonly name: string
  readonly bytes: number
  readonly fill: Fill
  readonly children?: readonly Node[]
  /** Row in the table of regions. */
  readonly row?: number
}

const HEAPS: ReadonlySet<Category> = new Set(['arena heaps, committed', 'arena heaps, reserved', 'main heap'])

/** Hidden columns of the table of arenas. */
const RESIDENT_PARTS: readonly (readonly [column: string, fill: Fill, name: string])[] = [
  ['residentReserved', 'reserved', 'left in reserved space'],
  ['residentTop', 'top', 'top'],
  ['residentTrimmable', 'free', 'bins, trimmable'],
  ['residentPinned', 'pinned', 'bins, pinned'],
  ['residentOverhead', 'overhead', 'overhead'],
  ['residentFastbins', 'fastbins', 'fastbins'],
  ['residentTcache', 'tcache', 'tcache'],
  ['residentLive', 'live', 'live'],
]

type Placed = HierarchyRectangularNode<Node>

export class Treemap {
  readonly #place = document.getElementById('treemap')!
  readonly #regions: Regions | null
  readonly #held: HeldColumns
  /** Row of #held by row of the table of regions. */
  readonly #heldRows: ReadonlyMap<number, number>
  readonly #arenas: ReportTable | null
  #size: string

  /** `choose`: a region was clicked; its start as the table shows it. */
  constructor({ tables, held }: ReportData, choose: (start: string) => void) {
    const regions = tables.find(({ id }) => id === 'table-regions')
    this.#regions = regions ? columnsOf(regions) : null
    this.#held = held
    this.#heldRows = new Map(held.rows.map((row, at) => [row, at]))
    this.#arenas = tables.find(({ id }) => id === 'table-arenas') ?? null
    const pressed = document.querySelector<HTMLElement>('#treemap-controls [aria-pressed=true]')
    this.#size = pressed?.dataset.size ?? 'space'
    this.#listen(choose)
    this.draw()
  }

  show(size: string): void {
    this.#size = size
    this.draw()
  }

  draw(): void {
    const regions = this.#regions
    if (!regions) {
      document.getElementById('treemap-controls')?.setAttribute('hidden', '')
      return
    }
    const width = Math.max(280, this.#place.clientWidth)
    const height = Math.round(Math.min(560, Math.max(320, width * 0.42)))
    const root = hierarchy<Node>(this.#tree(regions)).sum(({ bytes, children }) => (children ? 0 : bytes))
    // What a heap holds is in one order in all of them.
    root.sort((a, b) => (a.depth > 2 ? 0 : (b.value ?? 0) - (a.value ?? 0)))
    const placed = treemap<Node>()
      .size([width, height])
      .paddingTop((node) => (node.depth === 1 ? HEADING : 0))
      .paddingInner((node) => (node.depth === 0 ? 4 : node.depth === 1 ? 1 : 0))
      .tile((node, ...box) =>
        node.depth === 2 ? treemapSlice(node, ...box) : treemapSquarify(node, ...box),
      )(root)
    const svg = element('svg', { viewBox: `0 0 ${width} ${height}` })
    for (const category of placed.children ?? []) drawCategory(svg, category)
    this.#place.replaceChildren(svg)
  }

  #tree(regions: Regions): Node {
    const { category, size, resident } = regions
    const arenas = this.#size === 'resident' ? this.#residentArenas() : null
    const rows = new Map<string, { row: number; bytes: number }[]>()
    for (let row = 0; row < size.values.length; row++) {
      const name = category.words[category.values[row]!]!
      if (this.#size === 'committed' && RESERVATIONS.has(name as Category)) continue
      if (arenas && HEAPS.has(name as Category)) continue
      const bytes = (this.#size === 'resident' ? resident : size).values[row] ?? 0
      if (bytes === 0) continue
      const list = rows.get(name) ?? []
      rows.set(name, list)
      list.push({ row, bytes })
    }
    const children = [...rows].map(([name, list]): Node => {
      const fill = FILL_OF_CATEGORY[name as Category]
      list.sort((a, b) => b.bytes - a.bytes || a.row - b.row)
      const nodes = list
        .slice(0, MOST_REGIONS)
        .map(({ row, bytes }) => this.#region(regions, row, bytes, fill))
      const rest = list.slice(MOST_REGIONS)
      return { name, bytes: 0, fill, children: [...nodes, ...summedUp(rest, 'regions', fill)] }
    })
    return {
      name: 'address space',
      bytes: 0,
      fill: 'unknown',
      children: arenas ? [arenas, ...children] : children,
    }
  }

  // All that is in RAM of heaps is known by arena, not by region; null where an arena's is not.
  #residentArenas(): Node | null {
    const columns = this.#arenas?.columns
    if (!columns) return null
    const { arena } = columns as unknown as { arena: NumberColumn }
    const nodes = arena.values.map((index, row): Node | null => {
      const parts = RESIDENT_PARTS.map(([key, fill, name]) => {
        return { name, fill, bytes: (columns[key] as NumberColumn).values[row] ?? null }
      })
      if (parts.some(({ bytes }) => bytes === null)) return null
      const children = parts
        .filter(({ bytes }) => bytes! > 0)
        .map((part) => ({ ...part, bytes: part.bytes! }))
      const bytes = children.reduce((sum, part) => sum + part.bytes, 0)
      return { name: index === 0 ? 'main arena' : `arena ${index}`, bytes, fill: 'unknown', children }
    })
    if (nodes.some((node) => node === null)) return null
    const held = nodes.filter((node) => node !== null && node.bytes > 0) as Node[]
    held.sort((a, b) => b.bytes - a.bytes)
    const rest = summedUp(held.slice(MOST_REGIONS), 'arenas', 'unknown')
    return {
      name: "malloc's arenas",
      bytes: 0,
      fill: 'unknown',
      children: [...held.slice(0, MOST_REGIONS), ...rest],
    }
  }

  #region({ path, arena }: Regions, row: number, bytes: number, fill: Fill): Node {
    const inArena = arena.words[arena.values[row]!]
    const file = path.words[path.values[row]!]
    const name =
      inArena !== undefined
        ? inArena === 'main'
          ? 'main arena'
          : `arena${inArena.includes(',') ? 's' : ''} ${inArena}`
        : (file ?? 'anonymous')
    const heldRow = this.#heldRows.get(row)
    const children = heldRow === undefined || this.#size === 'resident' ? null : this.#parts(heldRow, bytes)
    return { name, bytes, fill, row, ...(children ? { children } : {}) }
  }

  #parts(row: number, bytes: number): readonly Node[] {
    const { live, cached, free, top, other } = this.#held
    const parts: readonly (readonly [Fill, string, number])[] = [
      ['top', 'top', top[row]!],
      ['free', 'free in bins', free[row]!],
      ['overhead', 'other', other[row]!],
      ['tcache', 'tcache, fastbins', cached[row]!],
      ['live', 'live', live[row]!],
    ]
    const sum = parts.reduce((all, [, , part]) => all + part, 0)
    const spare: (typeof parts)[number] = ['reserved', 'behind the heap', bytes - sum]
    return [spare, ...parts]
      .filter(([, , part]) => part > 0)
      .map(([fill, name, part]) => ({ name, bytes: part, fill }))
  }

  #listen(choose: (start: string) => void): void {
    const regionOf = (event: Event) => (event.target as Element).closest<SVGElement>('.region')
    this.#place.addEventListener('mousemove', (event) => {
      const region = regionOf(event)
      for (const other of this.#place.querySelectorAll('.over')) other.classList.remove('over')
      region?.classList.add('over')
      if (region) showTip(event, this.#textOf(region, (event.target as Element).getAttribute('data-part')))
      else hideTip()
    })
    this.#place.addEventListener('mouseleave', hideTip)
    this.#place.addEventListener('click', (event) => {
      const row = regionOf(event)?.dataset.row
      if (row !== undefined && this.#regions) choose(cellText(this.#regions.start, Number(row)))
    })
  }

  #textOf(region: SVGElement, part: string | null): string {
    const lines = [region.dataset.text!]
    if (region.dataset.row !== undefined && this.#regions) {
      const row = Number(region.dataset.row)
      const { start, category, permissions, size, resident, path } = this.#regions
      const inRam = resident.values[row] ?? null
      lines.push(
        `${cellText(start, row)} ${cellText(permissions, row)} ${cellText(category, row)}`,
        `${cellText(size, row)} (${countText(size.values[row] ?? null)} bytes)${inRam === null ? '' : `, in RAM ${bytesText(inRam)}`}`,
      )
      if (path.values[row]! >= 0) lines.push(cellText(path, row))
    }
    if (part !== null) lines.push(part)
    return lines.join('\n')
  }
}

interface Regions {
  readonly start: TextColumn
  readonly size: NumberColumn
  readonly resident: NumberColumn
  readonly category: WordColumn
  readonly permissions: WordColumn
  readonly arena: WordColumn
  readonly path: WordColumn
}

function columnsOf({ columns }: ReportTable): Regions {
  return columns as unknown as Regions
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  return made
}

function boxOf({ x0, y0, x1, y1 }: Placed): Record<string, string> {
  const [x, y, width, height] = [x0, y0, x1 - x0, y1 - y0].map((value) => value.toFixed(2))
  return { x: x!, y: y!, width: width!, height: height! }
}

function drawCategory(svg: SVGElement, category: Placed): void {
  svg.append(element('rect', { class: 'category', ...boxOf(category) }))
  for (const region of category.children ?? []) drawRegion(svg, region)
  label(
    svg,
    category,
    [`${category.data.name} · ${bytesText(category.value ?? 0)}`, category.data.name],
    'category',
    13,
  )
}

function drawRegion(svg: SVGElement, region: Placed): void {
  const { name, row } = region.data
  const text = row === undefined ? `${name}: ${exact(region.value ?? 0)}` : name
  const group = element('g', {
    class: 'region',
    'data-text': text,
    ...(row === undefined ? {} : { 'data-row': row }),
  })
  for (const leaf of region.children ?? [region]) {
    const part = leaf === region ? {} : { 'data-part': `${leaf.data.name}: ${exact(leaf.data.bytes)}` }
    group.append(element('rect', { class: `f-${leaf.data.fill}`, ...boxOf(leaf), ...part }))
  }
  group.append(element('rect', { class: 'edge', ...boxOf(region) }))
  svg.append(group)
  const short = name.startsWith('/') ? name.slice(name.lastIndexOf('/') + 1) : name.replace(/^arena /, '')
  const height = region.y1 - region.y0
  if (height > 15) label(svg, region, [name, short], 'on-ground', 12)
  if (height > 30) label(svg, region, [bytesText(region.value ?? 0)], 'on-ground', 25)
}

function exact(bytes: number): string {
  return `${bytesText(bytes)} (${countText(bytes)} bytes)`
}

// The first of the texts that fits; else the last one, cut, where enough of it remains to be read.
function label(
  svg: SVGElement,
  { x0, y0, x1 }: Placed,
  texts: readonly string[],
  look: keyof typeof LETTER,
  below: number,
): void {
  const room = Math.floor((x1 - x0 - 8) / LETTER[look])
  const last = texts[texts.length - 1]!
  const text = texts.find(({ length }) => length <= room) ?? (room < 8 ? null : `${last.slice(0, room - 1)}…`)
  if (text === null) return
  const line = svg.appendChild(
    element('text', { class: look, x: (x0 + 4).toFixed(1), y: (y0 + below).toFixed(1) }),
  )
  line.textContent = text
}

function summedUp(rest: readonly { readonly bytes: number }[], what: string, fill: Fill): readonly Node[] {
  if (rest.length === 0) return []
  const bytes = rest.reduce((sum, one) => sum + one.bytes, 0)
  return [{ name: `${countText(rest.length)} smaller ${what}`, bytes, fill }]
}
