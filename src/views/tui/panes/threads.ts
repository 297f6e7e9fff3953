// Pane 6: every thread with its arena, what its tcache keeps, and what it was doing.
import { printable } from '../../../format/printable.js'
import { bytesText, countText } from '../../../format/sizes.js'
import type { Report, ReportThread } from '../../../report/report.js'
import type { Session } from '../../../session/session.js'
import { type Pane, type ThreadSort, type TuiState, withNotice } from '../tui-state.js'
import { showArena } from './arenas.js'
import { nothingYet } from './nothing-yet.js'
import { type Column, sortedList } from './sorted-list.js'

const NONE: readonly ReportThread[] = []

/** True when what threads were doing is on the screen and not known yet. */
export function wantsStacks(state: TuiState): boolean {
  return state.pane === 'threads' && state.stacks === null
}

const EARLIER = new WeakMap<Report, ReadonlyMap<number, ReportThread>>()

function threadBefore(report: Report, tid: number): ReportThread | undefined {
  const known =
    EARLIER.get(report) ?? new Map((report.heap?.threads ?? []).map((thread) => [thread.tid, thread]))
  EARLIER.set(report, known)
  return known.get(tid)
}

function arenaText({ arena }: ReportThread): string {
  return arena === null ? '-' : arena === 0 ? 'main' : `${arena}`
}

function stackText({ tid }: ReportThread, { stacks }: TuiState): string {
  if (stacks === null) return '…'
  return (stacks.get(tid) ?? []).map(printable).join(' < ')
}

const COLUMNS: readonly Column<ReportThread, ThreadSort>[] = [
  { title: 'thread', width: 8, align: 'right', from: 0, sort: 'thread', text: ({ tid }) => `${tid}` },
  {
    title: 'name',
    width: 15,
    align: 'left',
    from: 60,
    sort: 'name',
    text: ({ name }) => printable(name ?? '?'),
  },
  { title: 'arena', width: 6, align: 'right', from: 0, sort: 'arena', text: arenaText },
  {
    title: 'tcache at',
    width: 14,
    align: 'left',
    from: 110,
    text: ({ tcache }) => printable(tcache?.address ?? '-'),
  },
  {
    title: 'tcache',
    width: 10,
    align: 'right',
    from: 0,
    sort: 'bytes',
    text: ({ tcache }) => (tcache ? bytesText(tcache.bytes) : '-'),
    value: ({ tcache }) => tcache?.bytes ?? null,
  },
  {
    title: 'chunks',
    width: 7,
    align: 'right',
    from: 40,
    sort: 'chunks',
    text: ({ tcache }) => (tcache ? countText(tcache.chunks) : '-'),
    value: ({ tcache }) => tcache?.chunks ?? null,
  },
  { title: 'in', width: 'rest', align: 'left', from: 70, text: stackText },
]

function doing(thread: ReportThread, state: TuiState, session: Session): string {
  if (state.stacks === null) return 'asking what it was doing …'
  if (state.stacks.size > 0) return stackText(thread, state) || 'its stack is not known'
  return session.isLive
    ? 'what it is doing is not known: it is not stopped for a look at its stack'
    : 'what it was doing is not known: that takes gdb and the program'
}

const list = sortedList<ReportThread, ThreadSort>({
  columns: COLUMNS,
  orders: {
    bytes: { value: ({ tcache }) => tcache?.bytes ?? null, first: 'largest' },
    chunks: { value: ({ tcache }) => tcache?.chunks ?? null, first: 'largest' },
    arena: { value: ({ arena }) => arena, first: 'smallest' },
    thread: { value: ({ tid }) => tid, first: 'smallest' },
    name: { value: ({ name }) => name, first: 'smallest' },
  },
  items: (session) => session.report.heap?.threads ?? NONE,
  list: (state) => state.threads,
  with: (state, threads) => ({ ...state, threads }),
  key: ({ tid }) => `${tid}`,
  address: ({ tcache }) => (tcache ? printable(tcache.address) : null),
  earlier: ({ tid }, before) => threadBefore(before, tid),
  detail(thread, state, session) {
    const name = thread.name === null ? '' : ` ${printable(thread.name)}`
    return `thread ${thread.tid}${name} · ${doing(thread, state, session)}`
  },
})

function open(state: TuiState, session: Session): TuiState {
  const thread = list.selected(state, session)
  if (!thread) return withNotice(state, 'error', 'there is no thread to follow')
  if (thread.arena !== null) return showArena(state, session, thread.arena)
  return withNotice(state, 'error', `no arena of thread ${thread.tid} is known: it may have none yet`)
}

/** The threads: Enter shows the thread's arena. */
export const threadsPane: Pane = {
  id: 'threads',
  title: 'Threads',
  help: [
    { keys: 's S', does: 'sort by tcache bytes, chunks, arena, thread, name; turn it round' },
    { keys: 'Enter', does: "the thread's arena in Arenas" },
    { keys: '/', does: 'only rows with this text' },
  ],
  hints: [
    { keys: 'Enter', does: 'arena' },
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
    return rows.length > 0
      ? rows
      : ['', ` ${nothingYet(state) ?? 'nothing is known of threads and their arenas in this target'}`]
  },
}
