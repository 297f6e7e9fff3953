// Pane 3: one heap as a map, a cell per run of pages, shaded by what of it is live.
import { bytesText, countText, percentOf, percentText } from '../../../format/sizes.js'
import { type Address, hex } from '../../../memory/address.js'
import { PAGE_USES, type UseBytes } from '../../../report/heap-pages.js'
import type { ReportArena, ReportHeap } from '../../../report/report.js'
import type { Session } from '../../../session/session.js'
import { cell } from '../columns.js'
import type { HeapMapState } from '../heap-map/heap-map-state.js'
import type { Key } from '../keys.js'
import {
  clickedCell,
  type DrawnCell,
  type MapGrid,
  mapColumns,
  mapGrid,
  mapRows,
  moveInMap,
  placeInMap,
} from '../map-grid.js'
import { enterPane, goToAddress } from '../navigation.js'
import type { Paint } from '../paint.js'
import { bodySize, type Pane, type TuiState, withNotice } from '../tui-state.js'
import { showChunk } from './chunks.js'
import { nothingYet } from './nothing-yet.js'

/** The heading above the map; the cell under the cursor and the legend below it. */
const FIXED_ROWS = 3
const PAGE_BYTES = 4096
const SHADES = ['░', '▒', '▓', '█'] as const
const LEGEND = '░▒▓█ live  c cached  · free  ~ top  _ reserved  ! damaged or unread'

interface Shown {
  readonly arena: ReportArena
  readonly heap: ReportHeap
  readonly heapIndex: number
  /** Committed, and with the address space that is kept behind it. */
  readonly sizeBytes: number
  readonly reservedBytes: number
}

/** The heap that the state names, or the nearest there is; null when there is none. */
export function shownHeap({ heapMap }: Pick<TuiState, 'heapMap'>, session: Session): Shown | null {
  const arenas = session.report.heap?.arenas ?? []
  const arena = arenas.find(({ index }) => index === heapMap.arena) ?? arenas[0]
  if (!arena || arena.heaps.length === 0) return null
  const heapIndex = Math.min(heapMap.heap, arena.heaps.length - 1)
  const heap = arena.heaps[heapIndex]!
  const end = BigInt(heap.address) + BigInt(heap.sizeBytes)
  const behind = session.pieces.find(
    (piece) => piece.start === end && piece.category === 'arena heaps, reserved',
  )
  const reservedBytes = behind ? Number(behind.end - behind.start) : 0
  return { arena, heap, heapIndex, sizeBytes: heap.sizeBytes, reservedBytes }
}

/** Names the heap and the report that its cells are of. */
export function pagesName({ arena, heap }: Pick<Shown, 'arena' | 'heap'>): string {
  return `${arena.index} ${heap.address} ${heap.sizeBytes}`
}

function gridOf(state: TuiState, shown: Shown): MapGrid {
  const columns = mapColumns(state.size.columns)
  const page = Math.max(1, bodySize(state).rows - FIXED_ROWS)
  const all = shown.sizeBytes + shown.reservedBytes
  const least = state.heapMap.pages?.cellBytes ?? PAGE_BYTES
  let cellBytes = state.heapMap.cellBytes ?? least
  if (state.heapMap.cellBytes === null) while (Math.ceil(all / cellBytes) > page * columns) cellBytes *= 2
  cellBytes = Math.max(least, cellBytes)
  return mapGrid(columns, page, cellBytes, Math.max(1, Math.ceil(all / cellBytes)))
}

function withCell(state: TuiState, shown: Shown, wanted: number): TuiState {
  const grid = gridOf(state, shown)
  const { at, top } = placeInMap(grid, wanted, state.heapMap.top)
  return { ...state, heapMap: { ...state.heapMap, offset: at * grid.cellBytes, top } }
}

function cellOf(state: TuiState, grid: MapGrid): number {
  return Math.min(grid.cells - 1, Math.floor(state.heapMap.offset / grid.cellBytes))
}

function zoomed(state: TuiState, shown: Shown, by: 2 | 0.5): TuiState {
  const grid = gridOf(state, shown)
  const least = state.heapMap.pages?.cellBytes ?? PAGE_BYTES
  const cellBytes = grid.cellBytes * by
  if (cellBytes < least)
    return withNotice(
      state,
      'note',
      `a cell is ${bytesText(grid.cellBytes)}: finer is the Chunks pane, Enter`,
    )
  if (by > 1 && grid.cells <= grid.columns) return withNotice(state, 'note', 'all of it is in one row')
  const next = { ...state, heapMap: { ...state.heapMap, cellBytes } }
  return withNotice(
    withCell(next, shown, Math.floor(state.heapMap.offset / cellBytes)),
    'note',
    `a cell is ${bytesText(cellBytes)}`,
  )
}

/** The heap before or after, through all arenas. */
function besideHeap(state: TuiState, session: Session, shown: Shown, step: 1 | -1): TuiState {
  const all = (session.report.heap?.arenas ?? []).flatMap((arena) =>
    arena.heaps.map((heap, heapIndex) => ({ arena, heap, heapIndex })),
  )
  const at = all.findIndex(({ heap }) => heap.address === shown.heap.address) + step
  const next = all[at]
  if (!next) return withNotice(state, 'note', `this is the ${step === 1 ? 'last' : 'first'} heap`)
  return { ...state, heapMap: fresh(state.heapMap, next.arena.index, next.heapIndex) }
}

function fresh(before: HeapMapState, arena: number, heap: number): HeapMapState {
  return { ...before, arena, heap, cellBytes: null, offset: 0, top: 0, pages: null, isDone: false }
}

/** The map of heap `heap` of arena `arena`, with the way back remembered. */
export function showHeapMap(state: TuiState, arena: number, heap: number): TuiState {
  const next = enterPane(state, 'heap-map')
  const { heapMap } = next
  if (heapMap.arena === arena && heapMap.heap === heap) return next
  return { ...next, heapMap: fresh(heapMap, arena, heap) }
}

function addressOf({ offset }: HeapMapState, shown: Shown): bigint {
  return BigInt(shown.heap.address) + BigInt(offset)
}

function open(state: TuiState, session: Session, shown: Shown): TuiState {
  if (state.heapMap.offset >= shown.sizeBytes)
    return withNotice(state, 'note', 'address space only: nothing was ever there')
  const at = addressOf(state.heapMap, shown)
  return showChunk(state, session, firstChunkAt(session, at, shown))
}

/** The first chunk that begins at or after `at`, near by; else the one that holds it. */
function firstChunkAt(session: Session, at: bigint, shown: Shown): bigint {
  const end = BigInt(shown.heap.address) + BigInt(shown.sizeBytes)
  const near = at + 4096n < end ? at + 4096n : end
  const chunks = session.chunksIn(at as Address, near as Address).filter(({ state }) => state !== 'arena')
  return (chunks.find((chunk) => chunk.address >= at) ?? chunks[0])?.address ?? at
}

function onKey(state: TuiState, key: Key, session: Session): TuiState | null {
  const shown = shownHeap(state, session)
  if (!shown) return null
  const grid = gridOf(state, shown)
  const at = cellOf(state, grid)
  switch (key) {
    case 'enter':
      return open(state, session, shown)
    case 'm':
      return goToAddress(state, session, addressOf(state.heapMap, shown))
    case '+':
    case '=':
      return zoomed(state, shown, 0.5)
    case '-':
      return zoomed(state, shown, 2)
    case '0':
      return withCell({ ...state, heapMap: { ...state.heapMap, cellBytes: null, top: 0 } }, shown, 0)
    case ']':
      return besideHeap(state, session, shown, 1)
    case '[':
      return besideHeap(state, session, shown, -1)
    default: {
      const moved = moveInMap(key, at, grid)
      return moved === null ? null : withCell(state, shown, moved)
    }
  }
}

type Look = 'live' | 'cached' | 'free' | 'top' | 'reserved' | 'damaged'

/** What stands for a cell: `other` of more than half a cell that no chunk explains is damage or was not read. */
function lookOf(uses: UseBytes, cellBytes: number, isFirst: boolean): { glyph: string; look: Look } {
  const { live, cached, free, top, other } = uses
  if (other > cellBytes / 2 && !isFirst) return { glyph: '!', look: 'damaged' }
  if (live > 0) {
    const shade = Math.min(3, Math.floor((live / cellBytes) * 4))
    return { glyph: SHADES[shade]!, look: 'live' }
  }
  if (cached > 0) return { glyph: 'c', look: 'cached' }
  if (free >= top && free > 0) return { glyph: '·', look: 'free' }
  if (top > 0) return { glyph: '~', look: 'top' }
  return { glyph: '░', look: 'live' }
}

function drawnCell(
  { heapMap: { pages } }: TuiState,
  shown: Shown,
  { cellBytes }: MapGrid,
  index: number,
  paint: Paint,
): DrawnCell {
  const from = index * cellBytes
  if (from >= shown.sizeBytes) return { glyph: '_', style: paint.page.reserved }
  if (!pages) return { glyph: ' ', style: paint.page.reserved }
  const bytes = Math.min(cellBytes, shown.sizeBytes - from)
  const { glyph, look } = lookOf(pages.uses(from, from + cellBytes), bytes, index === 0)
  return { glyph, style: paint.page[look] }
}

function headingText(state: TuiState, shown: Shown, grid: MapGrid): string {
  const { arena, heap, heapIndex, sizeBytes, reservedBytes } = shown
  const name = arena.isMain ? 'main arena' : `arena ${arena.index}`
  const reserved = reservedBytes > 0 ? ` of ${bytesText(sizeBytes + reservedBytes)} kept` : ''
  const live =
    state.heapMap.pages && state.heapMap.isDone
      ? `, live ${percentText(percentOf(wholeLive(state, shown), sizeBytes))}`
      : ''
  return ` ${name} · heap ${heapIndex + 1}/${arena.heaps.length} ${heap.address} · ${bytesText(sizeBytes)}${reserved}${live} · a cell is ${bytesText(grid.cellBytes)}`
}

function wholeLive({ heapMap }: TuiState, shown: Shown): number {
  return heapMap.pages!.uses(0, shown.sizeBytes).live
}

/** What is under the cursor, in words. */
function cursorText(state: TuiState, shown: Shown, grid: MapGrid): string {
  const { pages, offset } = state.heapMap
  const from = cellOf(state, grid) * grid.cellBytes
  const start = BigInt(shown.heap.address) + BigInt(from)
  const range = `${hex(start)}-${hex(start + BigInt(grid.cellBytes))}`
  if (offset >= shown.sizeBytes) return `${range} · reserved address space, no memory`
  if (!pages) return `${range} · reading …`
  const bytes = Math.min(grid.cellBytes, shown.sizeBytes - from)
  const uses = pages.uses(from, from + grid.cellBytes)
  const parts = PAGE_USES.filter((use) => uses[use] > 0).map(
    (use) => `${use} ${bytesText(uses[use])} (${percentText(percentOf(uses[use], bytes))})`,
  )
  return `${range} · ${parts.join(' · ')} · ${countText(pages.chunks(from, from + grid.cellBytes))} chunks begin`
}

/** A heap as a map: Enter shows the chunks of a cell. */
export const heapMapPane: Pane = {
  id: 'heap-map',
  title: 'Heap map',
  shortTitle: 'Map',
  help: [
    { keys: 'h j k l', does: 'move; arrows too' },
    { keys: '+ - 0', does: 'finer cells, coarser cells, the whole heap' },
    { keys: '[ ]', does: 'heap before, heap after' },
    { keys: 'Enter m', does: "the cell's chunks, its bytes in Memory" },
    { keys: LEGEND.slice(0, 4), does: 'share of live bytes: up to a quarter, half, three quarters, all' },
    { keys: 'c · ~', does: 'only cached (tcache, fastbins), only free, only top' },
    { keys: '_ !', does: 'reserved address space; damaged, or not to be read' },
  ],
  hints: [
    { keys: 'Enter', does: 'chunks' },
    { keys: '+ -', does: 'zoom' },
    { keys: '[ ]', does: 'heap' },
    { keys: 'm', does: 'memory' },
  ],
  onKey,
  onClick(state, row, column, session) {
    const shown = shownHeap(state, session)
    if (!shown) return state
    const grid = gridOf(state, shown)
    const at = clickedCell(grid, state.heapMap.top, row, column)
    if (at === null) return state
    return at === cellOf(state, grid) ? open(state, session, shown) : withCell(state, shown, at)
  },
  settle(state, session) {
    const shown = shownHeap(state, session)
    return shown ? withCell(state, shown, cellOf(state, gridOf(state, shown))) : state
  },

  rows(state, session, paint) {
    const { columns, rows } = bodySize(state)
    const shown = shownHeap(state, session)
    if (!shown) return ['', ` ${nothingYet(state) ?? 'no heap of malloc was found in this target'}`]
    const grid = gridOf(state, shown)
    const start = BigInt(shown.heap.address)
    const map = mapRows(
      grid,
      { at: cellOf(state, grid), top: state.heapMap.top },
      paint,
      (index) => hex(start + BigInt(index) * BigInt(grid.cellBytes)),
      (index) => drawnCell(state, shown, grid, index, paint),
    )
    return [
      paint.title(cell(headingText(state, shown, grid), columns)),
      ...map,
      ` ${cell(cursorText(state, shown, grid), columns - 1)}`,
      paint.dim(` ${cell(LEGEND, columns - 1)}`),
    ].slice(0, rows)
  },

  copyable(state, session) {
    const shown = shownHeap(state, session)
    if (!shown) return { address: null, row: null }
    const text = cursorText(state, shown, gridOf(state, shown))
    return { address: hex(addressOf(state.heapMap, shown)), row: text }
  },
}
