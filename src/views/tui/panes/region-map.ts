// The map of the Regions pane: the address space in address order, a letter per category in every cell.
import { printable } from '../../../format/printable.js'
import { bytesText, countText } from '../../../format/sizes.js'
import { CATEGORIES } from '../../../maps/categories.js'
import type { Piece } from '../../../maps/categorize.js'
import { hex } from '../../../memory/address.js'
import { regionAt, sizeOf } from '../../../memory/region.js'
import type { Session } from '../../../session/session.js'
import { cell, wrap } from '../columns.js'
import type { Key } from '../keys.js'
import {
  clickedCell,
  type MapGrid,
  mapColumns,
  mapGrid,
  mapRows,
  moveInMap,
  placeInMap,
} from '../map-grid.js'
import { goToAddress } from '../navigation.js'
import type { Paint } from '../paint.js'
import { HOLE_GLYPH, REGION_GLYPHS } from '../region-map/region-glyphs.js'
import {
  fittingCellBytes,
  LEAST_CELL_BYTES,
  type RegionCell,
  type RegionLayout,
  regionLayout,
} from '../region-map/region-layout.js'
import { bodySize, type Copyable, type TuiState, withNotice } from '../tui-state.js'

const MOST_LEGEND_ROWS = 3

interface Shown {
  readonly grid: MapGrid
  readonly layout: RegionLayout
  readonly legend: readonly string[]
  /** Rows for what is under the cursor. */
  readonly textRows: number
  /** The cell under the cursor. */
  readonly under: number
}

const presentIn = new WeakMap<readonly Piece[], ReadonlySet<string>>()

/** The glyphs that are in `pieces`, in words as long as there is room for. */
function legendRows(pieces: readonly Piece[], width: number, most: number): string[] {
  const present = presentIn.get(pieces) ?? new Set(pieces.map(({ category }) => category))
  presentIn.set(pieces, present)
  const categories = CATEGORIES.filter((category) => present.has(category))
  const hole = `${HOLE_GLYPH} hole`
  const long = [...categories.map((category) => `${REGION_GLYPHS[category].glyph} ${category}`), hole]
  const short = [
    ...categories.map((category) => `${REGION_GLYPHS[category].glyph} ${REGION_GLYPHS[category].short}`),
    hole,
  ]
  const rows = legendLines(long, width)
  if (rows.length <= most) return rows
  const shorter = legendLines(short, width)
  if (shorter.length <= most) return shorter
  const last = shorter[most - 1]!.split('  ')
  while (last.join('  ').length > width - 8) last.pop()
  return [...shorter.slice(0, most - 1), `${last.join('  ')} · ? all`]
}

/** Entries two blanks apart, none broken. */
function legendLines(entries: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const entry of entries) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 2 + entry.length <= width) lines[lines.length - 1] += `  ${entry}`
    else lines.push(entry)
  }
  return lines
}

function shownMap(state: TuiState, { pieces }: Session): Shown | null {
  if (pieces.length === 0) return null
  const { columns: width, rows } = bodySize(state)
  const legend = legendRows(pieces, width - 2, rows < 14 ? 1 : MOST_LEGEND_ROWS)
  const textRows = width < 120 ? 2 : 1
  const columns = mapColumns(width)
  const page = Math.max(1, rows - 1 - textRows - legend.length)
  const cellBytes = state.regionMap.cellBytes ?? fittingCellBytes(pieces, page * columns)
  const layout = regionLayout(pieces, cellBytes)
  const grid = mapGrid(columns, page, cellBytes, layout.cells)
  const under = layout.cellOf(Number(state.regionMap.at ?? pieces[0]!.start))
  return { grid, layout, legend, textRows, under }
}

/** Where the cursor is in a cell: where its largest region begins. */
function addressIn({ start, piece }: RegionCell): bigint {
  const from = BigInt(start)
  return piece && piece.start > from ? piece.start : from
}

function withCell(state: TuiState, { grid, layout }: Shown, wanted: number): TuiState {
  const { at, top } = placeInMap(grid, wanted, state.regionMap.top)
  return { ...state, regionMap: { ...state.regionMap, at: addressIn(layout.cell(at)), top } }
}

/** The cell of the cursor on the screen; the cursor stays on its region. */
function settle(state: TuiState, session: Session): TuiState {
  const shown = shownMap(state, session)
  if (!shown) return state
  const { top } = placeInMap(shown.grid, shown.under, state.regionMap.top)
  const at = state.regionMap.at ?? session.pieces[0]!.start
  return { ...state, regionMap: { ...state.regionMap, at, top } }
}

/** The region under the cursor; null in a hole. */
function pieceUnder({ regionMap }: TuiState, session: Session, { layout, under }: Shown): Piece | null {
  const here = regionMap.at === null ? null : regionAt(session.pieces, regionMap.at)
  return here ?? layout.cell(under).piece
}

function zoomed(state: TuiState, session: Session, shown: Shown, by: 2 | 0.5): TuiState {
  const { grid } = shown
  const cellBytes = grid.cellBytes * by
  if (cellBytes < LEAST_CELL_BYTES)
    return withNotice(state, 'note', 'a cell is one page: finer is the Memory pane, Enter')
  if (by > 1 && grid.cells <= grid.columns) return withNotice(state, 'note', 'all of it is in one row')
  const next = settle({ ...state, regionMap: { ...state.regionMap, cellBytes } }, session)
  return withNotice(next, 'note', `a cell is ${bytesText(cellBytes)}`)
}

function open(state: TuiState, session: Session, shown: Shown): TuiState {
  const piece = pieceUnder(state, session, shown)
  if (!piece) return withNotice(state, 'note', 'a hole: nothing is mapped here')
  return goToAddress(state, session, piece.start)
}

function onKey(state: TuiState, key: Key, session: Session): TuiState | null {
  const shown = shownMap(state, session)
  if (!shown) return key === 'enter' ? withNotice(state, 'error', 'there is no region to open') : null
  switch (key) {
    case 'enter':
      return open(state, session, shown)
    case '+':
    case '=':
      return zoomed(state, session, shown, 0.5)
    case '-':
      return zoomed(state, session, shown, 2)
    case '0':
      return settle({ ...state, regionMap: { ...state.regionMap, cellBytes: null, top: 0 } }, session)
    case 's':
    case 'S':
      return withNotice(state, 'note', 'the map is in address order · v is the list')
    default: {
      const moved = moveInMap(key, shown.under, shown.grid)
      return moved === null ? null : withCell(state, shown, moved)
    }
  }
}

/** What is under the cursor, in words. */
function cursorText(state: TuiState, session: Session, shown: Shown): string {
  const { start, end, pieces } = shown.layout.cell(shown.under)
  const piece = pieceUnder(state, session, shown)
  if (!piece) return `${hex(BigInt(start))}-${hex(BigInt(end))} · hole of ${bytesText(end - start)}`
  const inRam = piece.residentBytes === null ? '' : `, ${bytesText(piece.residentBytes)} in RAM`
  const others = pieces > 1 ? ` · ${countText(pieces - 1)} more in this cell` : ''
  const path = printable(piece.region.path ?? '[anon]')
  const { glyph } = REGION_GLYPHS[piece.category]
  return `${hex(piece.start)}-${hex(piece.end)} · ${glyph} ${piece.category} · ${bytesText(sizeOf(piece))}${inRam} · ${path}${others}`
}

function cursorRows(text: string, width: number, many: number): string[] {
  const lines = wrap(text, width - 2)
  const shown = [...lines.slice(0, many - 1), lines.slice(many - 1).join(' ')]
  return Array.from({ length: many }, (_, i) => ` ${cell(shown[i] ?? '', width - 2)}`)
}

function headingText({ grid, layout }: Shown): string {
  const all = layout.bounds.mappedBytes
  return ` ${bytesText(all)} mapped · a cell is ${bytesText(grid.cellBytes)} · ${countText(layout.cells)} cells`
}

function rows(state: TuiState, session: Session, paint: Paint): string[] {
  const shown = shownMap(state, session)
  if (!shown) return []
  const { grid, layout, legend, textRows, under } = shown
  const size = bodySize(state)
  const hole = { glyph: HOLE_GLYPH, style: paint.region.reserved }
  const map = mapRows(
    grid,
    { at: under, top: state.regionMap.top },
    paint,
    (index) => hex(BigInt(layout.cell(index).start)),
    (index) => {
      const { category } = layout.cell(index)
      if (category === null) return hole
      const { glyph, kind } = REGION_GLYPHS[category]
      return { glyph, style: paint.region[kind] }
    },
  )
  return [
    paint.title(cell(headingText(shown), size.columns)),
    ...map,
    ...cursorRows(cursorText(state, session, shown), size.columns, textRows),
    ...legend.map((line) => paint.dim(` ${cell(line, size.columns - 1)}`)),
  ].slice(0, size.rows)
}

/** The behaviour of the map. */
export const regionMap = {
  onKey,
  onClick(state: TuiState, row: number, column: number, session: Session): TuiState {
    const shown = shownMap(state, session)
    const at = shown && clickedCell(shown.grid, state.regionMap.top, row, column)
    if (!shown || at === null) return state
    return at === shown.under ? open(state, session, shown) : withCell(state, shown, at)
  },
  settle,
  rows,
  /** The region under the cursor. */
  piece(state: TuiState, session: Session): Piece | null {
    const shown = shownMap(state, session)
    return shown && pieceUnder(state, session, shown)
  },
  copyable(state: TuiState, session: Session): Copyable {
    const shown = shownMap(state, session)
    if (!shown) return { address: null, row: null }
    return {
      address: hex(state.regionMap.at ?? session.pieces[0]!.start),
      row: cursorText(state, session, shown),
    }
  },
}
