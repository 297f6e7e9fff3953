// What the maps share: rows of cells behind an address, a cursor that moves in them, clicks.
import { cell } from './columns.js'
import type { Key } from './keys.js'
import { moveInList, scrollTop } from './list-motion.js'
import type { Paint } from './paint.js'

const ADDRESS_WIDTH = 14
/** The heading above the map. */
const ROWS_ABOVE_MAP = 1
/** Not the cell's glyph turned round: a shade in reverse looks like another shade, and without colour like itself. */
const CURSOR = '▯'

export interface MapGrid {
  readonly columns: number
  readonly cellBytes: number
  readonly cells: number
  /** Rows of the whole map, and those that fit the screen. */
  readonly rows: number
  readonly page: number
}

export interface DrawnCell {
  readonly glyph: string
  readonly style: (text: string) => string
}

/** Cells in a row of a screen `width` columns wide. */
export function mapColumns(width: number): number {
  return Math.max(8, (width - ADDRESS_WIDTH - 3) & ~7)
}

export function mapGrid(columns: number, page: number, cellBytes: number, cells: number): MapGrid {
  return { columns, cellBytes, cells, rows: Math.ceil(cells / columns), page }
}

/** `cell` inside the map, and the first row on the screen that shows it. */
export function placeInMap(grid: MapGrid, wanted: number, top: number): { at: number; top: number } {
  const at = Math.max(0, Math.min(grid.cells - 1, wanted))
  return { at, top: scrollTop(top, Math.floor(at / grid.columns), grid.rows, grid.page) }
}

/** The cell under the cursor after `key`, not yet kept inside the map; null when the key is no motion. */
export function moveInMap(key: Key, at: number, grid: MapGrid): number | null {
  switch (key) {
    case 'l':
    case 'right':
      return at + 1
    case 'h':
    case 'left':
      return at - 1
    case 'g':
    case 'home':
      return 0
    case 'G':
    case 'end':
      return grid.cells - 1
    default: {
      const row = moveInList(key, Math.floor(at / grid.columns), grid.rows, grid.page)
      return row === null ? null : row * grid.columns + (at % grid.columns)
    }
  }
}

/** The cell at a row and column of the body; null when there is none. */
export function clickedCell(grid: MapGrid, top: number, row: number, column: number): number | null {
  const x = column - ADDRESS_WIDTH - 2
  const y = row - ROWS_ABOVE_MAP
  if (x < 0 || x >= grid.columns || y < 0 || y >= grid.page) return null
  const at = (top + y) * grid.columns + x
  return at < grid.cells ? at : null
}

/** The rows on the screen, as many as fit; cells of one style next to each other are coloured at once. */
export function mapRows(
  grid: MapGrid,
  { at, top }: { readonly at: number; readonly top: number },
  paint: Paint,
  addressOf: (cell: number) => string,
  draw: (cell: number) => DrawnCell,
): string[] {
  const rows: string[] = []
  for (let row = top; row < Math.min(grid.rows, top + grid.page); row++)
    rows.push(mapRow(grid, row, at, paint, addressOf(row * grid.columns), draw))
  while (rows.length < grid.page) rows.push('')
  return rows
}

function mapRow(
  grid: MapGrid,
  row: number,
  under: number,
  paint: Paint,
  address: string,
  draw: (cell: number) => DrawnCell,
): string {
  let text = ` ${paint.dim(cell(address, ADDRESS_WIDTH))} `
  let run = ''
  let style: DrawnCell['style'] | null = null
  const flush = () => {
    if (style && run !== '') text += style(run)
    run = ''
  }
  const first = row * grid.columns
  for (let index = first; index < Math.min(grid.cells, first + grid.columns); index++) {
    const drawn = draw(index)
    if (index === under || drawn.style !== style) flush()
    style = drawn.style
    if (index === under) text += paint.selected(CURSOR)
    else run += drawn.glyph
  }
  flush()
  return text
}
