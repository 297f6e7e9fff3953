// Pane 2: every arena with what it holds, what of it is in use, and who is attached.

import { printable } from '../../../format/printable.js'
import { bytesText, countText } from '../../../format/sizes.js'
import { hex } from '../../../memory/address.js'
import type { ReportArena } from '../../../report/report.js'
import type { Session } from '../../../session/session.js'
import { cell, clip } from '../columns.js'
import { moveInList, scrollTop } from '../list-motion.js'
import { enterPane, goToAddress } from '../navigation.js'
import type { Paint } from '../paint.js'
import { bodySize, type Pane, type TuiState, withNotice } from '../tui-state.js'
import { arenaName, arenaText, headingText, SORTS, sortArenas } from './arena-table.js'

/** The heading and the line about the arena under the cursor. */
const FIXED_ROWS = 2

function pageOf(state: TuiState): number {
  return Math.max(1, bodySize(state).rows - FIXED_ROWS)
}

function arenasOf(session: Session): readonly ReportArena[] {
  return session.report.heap?.arenas ?? []
}

function sorted(state: TuiState, session: Session): ReportArena[] {
  return sortArenas(arenasOf(session), state.arenas)
}

function withCursor(state: TuiState, session: Session, cursor: number): TuiState {
  const count = arenasOf(session).length
  const at = Math.max(0, Math.min(count - 1, cursor))
  const top = scrollTop(state.arenas.top, at, count, pageOf(state))
  return { ...state, arenas: { ...state.arenas, cursor: at, top } }
}

/** The same arena stays under the cursor when the order changes. */
function reordered(state: TuiState, session: Session, order: Partial<TuiState['arenas']>): TuiState {
  const arena = sorted(state, session)[state.arenas.cursor]
  const next = { ...state, arenas: { ...state.arenas, ...order } }
  const at = sorted(next, session).findIndex((candidate) => candidate.index === arena?.index)
  const { sort, reversed } = next.arenas
  const way = (sort === 'ring') === reversed ? 'largest first' : 'smallest first'
  return withNotice(
    withCursor(next, session, at),
    'note',
    `sorted by ${sort === 'ring' ? '#' : sort}, ${way}`,
  )
}

function open(state: TuiState, session: Session): TuiState {
  const arena = sorted(state, session)[state.arenas.cursor]
  if (!arena) return withNotice(state, 'error', 'there is no arena to open')
  return goToAddress(state, session, BigInt(arena.heaps[0]?.address ?? arena.address))
}

/** Arenas in this order, the first under the cursor, with the way back remembered. */
export function showArenas(
  state: TuiState,
  session: Session,
  order: Pick<TuiState['arenas'], 'sort' | 'reversed'>,
): TuiState {
  const next = enterPane(state, 'arenas')
  return withCursor({ ...next, arenas: { ...next.arenas, ...order } }, session, 0)
}

/** Arenas with arena `index` under the cursor and the way back remembered; an error line when there is none. */
export function showArena(state: TuiState, session: Session, index: number): TuiState {
  const at = sorted(state, session).findIndex((arena) => arena.index === index)
  if (at < 0) return withNotice(state, 'error', `arena ${index} is not among the arenas that were found`)
  return withCursor(enterPane(state, 'arenas'), session, at)
}

function detailText(arena: ReportArena): string {
  const heap = arena.heaps[0]
  const known = (bytes: number | null) => (bytes === null ? '?' : bytesText(bytes))
  return [
    `arena ${arenaName(arena)}${arena.complete ? '' : ' (!) lower bounds'}`,
    `bins ${known(arena.binnedBytes)}`,
    `top ${known(arena.topBytes)}`,
    `fastbins ${known(arena.fastbinBytes)}`,
    `${arena.freeChunks === null ? '?' : countText(arena.freeChunks)} free chunks`,
    ...(heap ? [`first heap ${hex(BigInt(heap.address))}`] : []),
    `malloc_state ${printable(arena.address)}`,
  ].join(' · ')
}

function arenaRow(arena: ReportArena, selected: boolean, width: number, paint: Paint): string {
  const { text, used, rest } = arenaText(arena, width)
  if (selected) return paint.selected(cell(`▸${text} ${used}${rest}`, width))
  return ` ${arena.complete ? text : paint.error(text)} ${paint.bar(used)}${paint.dim(rest)}`
}

/** The arenas: `s` sorts, Enter shows the arena's first heap in Memory. */
export const arenasPane: Pane = {
  id: 'arenas',
  title: 'Arenas',
  help: [
    { keys: 's S', does: 'sort by the next column, turn the order round' },
    { keys: 'Enter', does: "the arena's first heap in Memory" },
  ],
  hints: [
    { keys: 'Enter', does: 'memory' },
    { keys: 's', does: 'sort' },
    { keys: 'j k', does: 'move' },
  ],

  onKey(state, key, session) {
    if (key === 'enter') return open(state, session)
    if (key === 'S') return reordered(state, session, { reversed: !state.arenas.reversed })
    if (key === 's') {
      const sort = SORTS[(SORTS.indexOf(state.arenas.sort) + 1) % SORTS.length]!
      return reordered(state, session, { sort, reversed: false })
    }
    const cursor = moveInList(key, state.arenas.cursor, arenasOf(session).length, pageOf(state))
    return cursor === null ? null : withCursor(state, session, cursor)
  },

  settle: (state, session) => withCursor(state, session, state.arenas.cursor),

  rows(state, session, paint) {
    const { columns, rows } = bodySize(state)
    const arenas = sorted(state, session)
    if (arenas.length === 0) return ['', ' no malloc arenas were found in this target']
    const { cursor, top } = state.arenas
    const page = pageOf(state)
    const list = arenas
      .slice(top, top + page)
      .map((arena, index) => arenaRow(arena, top + index === cursor, columns, paint))
    while (list.length < page) list.push('')
    const place = `${cursor + 1}/${arenas.length}`
    const detail = clip(detailText(arenas[cursor]!), Math.max(0, columns - place.length - 3))
    return [
      paint.title(headingText(state.arenas, columns)),
      ...list,
      ` ${cell(detail, columns - place.length - 3)} ${paint.dim(place)}`,
    ].slice(0, rows)
  },
}
