// Pane 2: every arena with what it holds, what of it is in use, and who is attached; its heaps unfold below it.
import { printable } from '../../../format/printable.js'
import { bytesText, countText } from '../../../format/sizes.js'
import type { Report, ReportArena, ReportHeap } from '../../../report/report.js'
import type { Session } from '../../../session/session.js'
import type { Key } from '../keys.js'
import { goToAddress, rememberPlace } from '../navigation.js'
import { type ArenaSort, type ListState, type Pane, type TuiState, withNotice } from '../tui-state.js'
import { ARENA_COLUMNS, type ArenaRow, arenaName, inUsePercent } from './arena-columns.js'
import { showHeapMap } from './heap-map.js'
import { nothingYet } from './nothing-yet.js'
import { type SortedList, sortedList } from './sorted-list.js'

/** Rows of a report, for the set of unfolded arenas they were made with. */
const ROWS = new WeakMap<
  Report,
  { readonly unfolded: ReadonlySet<number>; readonly rows: readonly ArenaRow[] }
>()

function rowsOf({ report }: Session, { arenas: { unfolded } }: TuiState): readonly ArenaRow[] {
  const known = ROWS.get(report)
  if (known?.unfolded === unfolded) return known.rows
  const rows = (report.heap?.arenas ?? []).flatMap((arena): ArenaRow[] => [
    { arena, heap: null, heapIndex: -1, isUnfolded: unfolded.has(arena.index) },
    ...(unfolded.has(arena.index)
      ? arena.heaps.map((heap, heapIndex) => ({ arena, heap, heapIndex, isUnfolded: true }))
      : []),
  ])
  ROWS.set(report, { unfolded, rows })
  return rows
}

const EARLIER = new WeakMap<Report, ReadonlyMap<string, ReportArena>>()

function arenaBefore(report: Report, address: string): ReportArena | undefined {
  const known =
    EARLIER.get(report) ?? new Map((report.heap?.arenas ?? []).map((arena) => [arena.address, arena]))
  EARLIER.set(report, known)
  return known.get(address)
}

function detailText({ arena, heap, heapIndex }: ArenaRow): string {
  if (heap) return heapText(arena, heap, heapIndex)
  const known = (bytes: number | null) => (bytes === null ? '?' : bytesText(bytes))
  return [
    `arena ${arenaName(arena)}${arena.complete ? '' : ' (!) lower bounds'}`,
    `bins ${known(arena.binnedBytes)}`,
    `top ${known(arena.topBytes)}`,
    `fastbins ${known(arena.fastbinBytes)}`,
    `${arena.freeChunks === null ? '?' : countText(arena.freeChunks)} free chunks`,
    ...(arena.heaps[0] ? [`first heap ${printable(arena.heaps[0].address)}`] : []),
    `malloc_state ${printable(arena.address)}`,
  ].join(' · ')
}

function heapText(arena: ReportArena, heap: ReportHeap, heapIndex: number): string {
  return `heap ${heapIndex + 1} of ${arena.heaps.length} of arena ${arenaName(arena)} · ${printable(heap.address)} · ${bytesText(heap.sizeBytes)}`
}

const list: SortedList<ArenaRow, ArenaSort> = sortedList<ArenaRow, ArenaSort>({
  columns: ARENA_COLUMNS,
  orders: {
    free: { value: ({ arena }) => arena.freeBytes, first: 'largest' },
    system: { value: ({ arena }) => arena.systemBytes, first: 'largest' },
    'in use': { value: ({ arena }) => arena.inUseBytes, first: 'largest' },
    threads: { value: ({ arena }) => arena.attachedThreads, first: 'largest' },
    use: { value: ({ arena }) => inUsePercent(arena), first: 'largest' },
    ring: { value: ({ arena }) => arena.index, first: 'smallest', name: '#' },
  },
  items: rowsOf,
  list: (state) => state.arenas,
  with: (state, arenas: ListState<ArenaSort>) => ({ ...state, arenas: { ...state.arenas, ...arenas } }),
  key: ({ arena, heap }) => (heap ? `${arena.address} ${heap.address}` : arena.address),
  address: ({ arena, heap }) => printable(heap?.address ?? arena.address),
  detail: detailText,
  earlier: ({ arena, heap, heapIndex, isUnfolded }, before) => {
    const then = heap ? undefined : arenaBefore(before, arena.address)
    return then && { arena: then, heap: null, heapIndex, isUnfolded }
  },
})

function folded(state: TuiState, session: Session, index: number, isUnfolded: boolean): TuiState {
  const unfolded = new Set(state.arenas.unfolded)
  if (isUnfolded) unfolded.add(index)
  else unfolded.delete(index)
  return list.settle({ ...state, arenas: { ...state.arenas, unfolded } }, session)
}

/** Deeper: an arena's heaps, a heap's map. */
function open(state: TuiState, session: Session): TuiState {
  const row = list.selected(state, session)
  if (!row) return withNotice(state, 'error', 'there is no arena to open')
  const { arena, heap, heapIndex } = row
  if (heap) return showHeapMap(state, arena.index, heapIndex)
  if (arena.heaps.length === 0 && state.loading) return withNotice(state, 'note', nothingYet(state)!)
  if (arena.heaps.length === 0)
    return withNotice(state, 'note', `arena ${arenaName(arena)} has no heap that is known`)
  if (arena.heaps.length === 1) return showHeapMap(state, arena.index, 0)
  const next = state.arenas.unfolded.has(arena.index) ? state : folded(state, session, arena.index, true)
  return list.onKey(next, 'down', session) ?? next
}

function toMemory(state: TuiState, session: Session): TuiState {
  const row = list.selected(state, session)
  if (!row) return withNotice(state, 'error', 'there is no arena to open')
  const { arena, heap } = row
  return goToAddress(state, session, BigInt((heap ?? arena.heaps[0])?.address ?? arena.address))
}

/** Arenas in this order, the first under the cursor, with the way back remembered. */
export function showArenas(
  state: TuiState,
  session: Session,
  order: Pick<TuiState['arenas'], 'sort' | 'reversed'>,
): TuiState {
  return list.show({ ...rememberPlace(state), pane: 'arenas', notice: null }, session, order)
}

/** Arenas with arena `index` under the cursor and the way back remembered; an error line when there is none. */
export function showArena(state: TuiState, session: Session, index: number): TuiState {
  const isIt = ({ arena, heap }: ArenaRow) => heap === null && arena.index === index
  if (!rowsOf(session, state).some(isIt))
    return withNotice(state, 'error', `arena ${index} is not among the arenas that were found`)
  return list.show({ ...rememberPlace(state), pane: 'arenas', notice: null }, session, {}, isIt)
}

function onKey(state: TuiState, key: Key, session: Session): TuiState | null {
  const row = list.selected(state, session)
  switch (key) {
    case 'enter':
      return open(state, session)
    case 'm':
      return toMemory(state, session)
    case ' ':
    case 'right':
    case 'l':
    case 'left':
    case 'h': {
      if (!row) return state
      const isOpen = state.arenas.unfolded.has(row.arena.index)
      const wanted = key === ' ' ? !isOpen : key === 'right' || key === 'l'
      const key0 = row.arena.address
      const upper = row.heap && !wanted ? { ...state, arenas: { ...state.arenas, key: key0 } } : state
      return folded(upper, session, row.arena.index, wanted)
    }
    default:
      return list.onKey(state, key, session)
  }
}

/** The arenas: `s` sorts, Enter unfolds the heaps, and shows one as a map. */
export const arenasPane: Pane = {
  id: 'arenas',
  title: 'Arenas',
  help: [
    { keys: 'Enter', does: "the arena's heaps, the heap's map" },
    { keys: 'Space h l', does: 'fold and unfold the heaps' },
    { keys: 'm', does: 'the first bytes in Memory' },
    { keys: 's S', does: 'sort by the next column, turn the order round' },
    { keys: '/', does: 'only rows with this text' },
    { keys: '▴ ▾', does: 'what a refresh of a live target changed' },
  ],
  hints: [
    { keys: 'Enter', does: 'heaps' },
    { keys: 's', does: 'sort' },
    { keys: 'm', does: 'memory' },
    { keys: '/', does: 'filter' },
  ],
  onKey,
  onClick(state, row, column, session) {
    const next = list.onClick(state, row, column, session)
    return next === 'entered' ? open(state, session) : next
  },
  onFilter: list.onFilter,
  filterOf: list.filterOf,
  settle: list.settle,
  rows(state, session, paint) {
    const rows = list.rows(state, session, paint)
    return rows.length > 0
      ? rows
      : ['', ` ${nothingYet(state) ?? 'no malloc arenas were found in this target'}`]
  },
  copyable: list.copyable,
}
