// Pane 8: the address space, mapping by mapping, each byte in its category.
import { printable } from '../../../format/printable.js'
import { bytesText } from '../../../format/sizes.js'
import type { Piece } from '../../../maps/categorize.js'
import { hex } from '../../../memory/address.js'
import { permissionText, sizeOf } from '../../../memory/region.js'
import type { Session } from '../../../session/session.js'
import { goToAddress } from '../navigation.js'
import { type Pane, type RegionSort, type TuiState, withNotice } from '../tui-state.js'
import { regionMap } from './region-map.js'
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

/** The other of list and map, with the cursor on the same region. */
function turned(state: TuiState, session: Session): TuiState {
  const { isShown } = state.regionMap
  if (!isShown) {
    const piece = list.selected(state, session)
    return regionMap.settle(
      { ...state, regionMap: { ...state.regionMap, isShown: true, at: piece?.start ?? state.regionMap.at } },
      session,
    )
  }
  const next = { ...state, regionMap: { ...state.regionMap, isShown: false } }
  const piece = regionMap.piece(state, session)
  if (!piece) return next
  const moved = list.settle({ ...next, regions: { ...next.regions, key: hex(piece.start) } }, session)
  if (list.selected(moved, session)?.start === piece.start) return moved
  const all = list.show(next, session, {}, ({ start }) => start === piece.start)
  return withNotice(all, 'note', 'all regions again: the filter left this one out')
}

/** What shows the address space now. */
function viewOf({ regionMap: { isShown } }: TuiState) {
  return isShown ? regionMap : list
}

/** The address space, as a list and as a map: Enter shows a region in Memory. */
export const regionsPane: Pane = {
  id: 'regions',
  title: 'Regions',
  help: [
    { keys: 'v', does: 'the list as a map, the map as a list' },
    { keys: 'Enter', does: "the region's first bytes in Memory" },
    { keys: 's S', does: 'list: sort by address, size, memory in RAM, category, path; turn it round' },
    { keys: '/', does: 'list: only rows with this text' },
    { keys: 'h j k l', does: 'map: move; arrows too' },
    { keys: '+ - 0', does: 'map: finer cells, coarser cells, the whole address space' },
    { keys: 'A a H M', does: 'arena heaps: committed, reserved; main heap; mmapped chunks' },
    { keys: 'S g s', does: 'thread stacks, their guards; main stack' },
    { keys: 'P L F m', does: 'program, shared libraries, files, shared memory' },
    { keys: 'k o r │', does: 'kernel (vdso), other anonymous, other reserved; hole' },
  ],
  hints: [
    { keys: 'Enter', does: 'memory' },
    { keys: 'v', does: 'list or map' },
    { keys: 's', does: 'sort' },
    { keys: '+ -', does: 'zoom' },
  ],
  onKey(state, key, session) {
    if (key === 'v') return turned(state, session)
    if (state.regionMap.isShown) return regionMap.onKey(state, key, session)
    return key === 'enter' ? open(state, session) : list.onKey(state, key, session)
  },
  onClick(state, row, column, session) {
    if (state.regionMap.isShown) return regionMap.onClick(state, row, column, session)
    const next = list.onClick(state, row, column, session)
    return next === 'entered' ? open(state, session) : next
  },
  onFilter: (state, text, session) =>
    list.onFilter({ ...state, regionMap: { ...state.regionMap, isShown: false } }, text, session),
  filterOf: list.filterOf,
  copyable: (state, session) => viewOf(state).copyable(state, session),
  settle: (state, session) => viewOf(state).settle(state, session),
  rows(state, session, paint) {
    const rows = viewOf(state).rows(state, session, paint)
    return rows.length > 0 ? rows : ['', ' nothing is mapped in this target']
  },
}
