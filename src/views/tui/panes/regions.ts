// Pane 8: the address space, mapping by mapping, each byte in its category.
import { printable } from '../../../format/printable.js'
import { bytesText } from '../../../format/sizes.js'
import type { Piece } from '../../../maps/categorize.js'
import { hex } from '../../../memory/address.js'
import { permissionText, sizeOf } from '../../../memory/region.js'
import type { Session } from '../../../session/session.js'
import { goToAddress } from '../navigation.js'
import { type Pane, type RegionSort, type TuiState, withNotice } from '../tui-state.js'
import { type Column, sortedList } from './sorted-list.js'

function pathText({ region }: Piece): string {
  return printable(region.path ?? '[anon]')
}

function inRamText({ residentBytes }: Piece): string {
  return residentBytes === null ? '?' : bytesText(residentBytes)
}

const COLUMNS: readonly Column<Piece, RegionSort>[] = [
  {
    title: 'start',
    width: 14,
    align: 'right',
    from: 0,
    sort: 'address',
    text: ({ start }) => hex(start),
  },
  { title: 'end', width: 14, align: 'right', from: 110, text: ({ end }) => hex(end) },
  {
    title: 'size',
    width: 10,
    align: 'right',
    from: 0,
    sort: 'size',
    text: (piece) => bytesText(sizeOf(piece)),
    value: sizeOf,
  },
  {
    title: 'in RAM',
    width: 10,
    align: 'right',
    from: 96,
    sort: 'resident',
    text: inRamText,
    value: ({ residentBytes }) => residentBytes,
  },
  {
    title: 'perm',
    width: 5,
    align: 'left',
    from: 36,
    text: ({ region }) => permissionText(region.permissions),
  },
  {
    title: 'category',
    width: 22,
    align: 'left',
    from: 60,
    sort: 'category',
    text: ({ category }) => category,
  },
  { title: 'path', width: 'rest', align: 'left', from: 70, sort: 'path', text: pathText },
]

const list = sortedList<Piece, RegionSort>({
  columns: COLUMNS,
  orders: {
    address: { value: ({ start }) => start, first: 'smallest' },
    size: { value: sizeOf, first: 'largest' },
    resident: { value: ({ residentBytes }) => residentBytes, first: 'largest' },
    category: { value: ({ category }) => category, first: 'smallest' },
    path: { value: ({ region }) => region.path, first: 'smallest' },
  },
  items: (session) => session.pieces,
  list: (state) => state.regions,
  with: (state, regions) => ({ ...state, regions }),
  key: ({ start }) => hex(start),
  address: ({ start }) => hex(start),
  detail(piece) {
    const inRam = piece.residentBytes === null ? '' : ` · ${inRamText(piece)} in RAM`
    return `${hex(piece.start)}-${hex(piece.end)}${inRam} · ${piece.category} · ${pathText(piece)}`
  },
})

function open(state: TuiState, session: Session): TuiState {
  const piece = list.selected(state, session)
  if (!piece) return withNotice(state, 'error', 'there is no region to open')
  return goToAddress(state, session, piece.start)
}

/** The address space: Enter shows a region in Memory. */
export const regionsPane: Pane = {
  id: 'regions',
  title: 'Regions',
  help: [
    { keys: 's S', does: 'sort by address, size, memory in RAM, category, path; turn it round' },
    { keys: 'Enter', does: "the region's first bytes in Memory" },
    { keys: '/', does: 'only rows with this text' },
  ],
  hints: [
    { keys: 'Enter', does: 'memory' },
    { keys: 's', does: 'sort' },
    { keys: 'j k', does: 'move' },
  ],
  onKey: (state, key, session) => (key === 'enter' ? open(state, session) : list.onKey(state, key, session)),
  onClick(state, row, column, session) {
    const next = list.onClick(state, row, column, session)
    return next === 'entered' ? open(state, session) : next
  },
  onFilter: list.onFilter,
  filterOf: list.filterOf,
  copyable: list.copyable,
  settle: list.settle,
  rows(state, session, paint) {
    const rows = list.rows(state, session, paint)
    return rows.length > 0 ? rows : ['', ' nothing is mapped in this target']
  },
}
