// Pane 4: chunks by the million: filtered, sorted, jumped to, and only those on the screen drawn.
import { bytesText, countText } from '../../../format/sizes.js'
import { type Address, hex, offset } from '../../../memory/address.js'
import { CHUNK_STATES, type Session } from '../../../session/session.js'
import {
  type ChunkListFilter,
  chunkFilterText,
  parseChunkFilter,
  STATE_GROUPS,
} from '../chunks/chunk-filter.js'
import { type ChunkView, indexHolding, rowAt } from '../chunks/chunk-view.js'
import type { ChunksState } from '../chunks/chunks-state.js'
import { cell, clip } from '../columns.js'
import { asciiText } from '../dump-text.js'
import { arenaHolding } from '../heap-index.js'
import type { Key } from '../keys.js'
import { moveInList, scrollTop } from '../list-motion.js'
import { enterPane, goToAddress } from '../navigation.js'
import type { Paint } from '../paint.js'
import { bodySize, type Pane, type TuiState, withNotice } from '../tui-state.js'
import { nothingYet } from './nothing-yet.js'

/** What is shown, the heading, and the line about the chunk under the cursor. */
const FIXED_ROWS = 3
const ADDRESS_WIDTH = 14
const SIZE_WIDTH = 13
const STATE_WIDTH = 9
const ARENA_WIDTH = 5
const MOST_PREVIEW = 96

function pageOf(state: TuiState): number {
  return Math.max(1, bodySize(state).rows - FIXED_ROWS)
}

function withCursor(state: TuiState, cursor: number): TuiState {
  const { chunks } = state
  const count = chunks.view?.count ?? 0
  const at = Math.max(0, Math.min(count - 1, cursor))
  return { ...state, chunks: { ...chunks, cursor: at, top: scrollTop(chunks.top, at, count, pageOf(state)) } }
}

function rowUnderCursor({ view, cursor, reversed }: ChunksState): number | null {
  return view && cursor < view.count ? rowAt(view, cursor, reversed) : null
}

/** The address of the chunk under the cursor; null when there is none. */
export function chunkUnderCursor({ chunks }: TuiState): Address | null {
  const row = rowUnderCursor(chunks)
  return row === null ? null : chunks.view!.table.address(row)
}

/** Another choice of chunks or another order; by address the chunk under the cursor keeps it where it is still shown. */
function changed(
  state: TuiState,
  change: Partial<Pick<ChunksState, 'filter' | 'sort' | 'reversed'>>,
): TuiState {
  const isBySize = (change.sort ?? state.chunks.sort) === 'size'
  const wanted = isBySize ? null : (state.chunks.wanted ?? chunkUnderCursor(state))
  const next = {
    ...state,
    chunks: {
      ...state.chunks,
      ...(isBySize ? { cursor: 0, top: 0 } : {}),
      ...change,
      wanted,
      isDone: false,
      isAsked: true,
      error: null,
    },
  }
  const text = chunkFilterText(next.chunks.filter)
  const order = next.chunks.sort === 'place' ? 'by arena and address' : 'by size'
  const turned = next.chunks.reversed !== (next.chunks.sort === 'size') ? ', turned round' : ''
  return withNotice(next, 'note', `${text === '' ? 'all chunks' : text} · ${order}${turned}`)
}

/** The next group of states, in the turn of the key `f`. */
function nextGroup({ filter }: ChunksState): ChunkListFilter {
  const groups = Object.keys(STATE_GROUPS)
  return { ...filter, group: groups[(groups.indexOf(filter.group) + 1) % groups.length]! }
}

function toggledArena({ chunks }: TuiState): ChunkListFilter {
  const { filter, view } = chunks
  const row = rowUnderCursor(chunks)
  if (filter.arena !== null || row === null) return { ...filter, arena: null }
  const arena = view!.table.arena(row)
  return { ...filter, arena: arena < 0 ? null : arena }
}

/** The state after more chunks were listed. */
export function withView(state: TuiState, view: ChunkView, isDone: boolean): TuiState {
  const { wanted, reversed } = state.chunks
  const at = wanted === null ? null : indexHolding(view, wanted, reversed)
  const chunks = { ...state.chunks, view, isDone, wanted: at === null && !isDone ? wanted : null }
  if (at === null) return withCursor({ ...state, chunks }, state.chunks.cursor)
  // A jump shows what is around the chunk.
  const top = Math.max(0, at - (pageOf(state) >> 1))
  const next = withCursor({ ...state, chunks: { ...chunks, top } }, at)
  return next
}

/** The chunks of one arena around `at`, which comes under the cursor; the way back is remembered. */
export function showChunk(state: TuiState, session: Session, at: bigint): TuiState {
  const arena = arenaHolding(session.report, at)
  if (arena === null) return withNotice(state, 'error', `${hex(at)} is in no heap of malloc's`)
  return showChunks(state, { arena, group: 'all', minBytes: null, maxBytes: null }, at as Address)
}

/** The Chunks pane with this filter, by address. */
export function showChunks(state: TuiState, filter: ChunkListFilter, wanted: Address | null): TuiState {
  const next = enterPane(state, 'chunks')
  const chunks = {
    ...next.chunks,
    filter,
    sort: 'place' as const,
    reversed: false,
    wanted,
    cursor: 0,
    top: 0,
  }
  return { ...next, chunks: { ...chunks, isDone: false, isAsked: true, error: null } }
}

function open(state: TuiState, session: Session): TuiState {
  const at = chunkUnderCursor(state)
  return at === null
    ? withNotice(state, 'error', 'there is no chunk to open')
    : goToAddress(state, session, at)
}

function onKey(state: TuiState, key: Key, session: Session): TuiState | null {
  const { chunks } = state
  switch (key) {
    case 'enter':
      return open(state, session)
    case 's':
      return chunks.sort === 'place'
        ? changed(state, { sort: 'size', reversed: true })
        : changed(state, { sort: 'place', reversed: false })
    case 'S':
      return changed(state, { reversed: !chunks.reversed })
    case 'f':
      return changed(state, { filter: nextGroup(chunks) })
    case 'a':
      return changed(state, { filter: toggledArena(state) })
    default: {
      const cursor = moveInList(key, chunks.cursor, chunks.view?.count ?? 0, pageOf(state))
      return cursor === null ? null : withCursor({ ...state, chunks: { ...chunks, wanted: null } }, cursor)
    }
  }
}

function summary(state: TuiState): string {
  const { view, filter, isDone, sort, reversed } = state.chunks
  const what = chunkFilterText(filter) || 'all'
  const order = sort === 'place' ? 'by address' : `by size, ${reversed ? 'largest' : 'smallest'} first`
  const count = view ? `${countText(view.count)} chunks, ${bytesText(view.bytes)}` : ''
  const listing = isDone ? '' : `${count === '' ? '' : ' · '}listing …`
  return ` ${what} · ${order} · ${count}${listing}`
}

function chunkRow(state: TuiState, session: Session, index: number, paint: Paint): string {
  const { view, reversed, cursor } = state.chunks
  const row = rowAt(view!, index, reversed)
  const { table } = view!
  const at = table.address(row)
  const size = table.size(row)
  const name = CHUNK_STATES[table.state(row)]!
  const arena = table.arena(row)
  const width = state.size.columns
  const owner = arena < 0 ? '-' : arena === 0 ? 'main' : `${arena}`
  const text =
    `${cell(hex(at), ADDRESS_WIDTH)} ${cell(countText(size), SIZE_WIDTH, 'right')} ` +
    `${cell(name, STATE_WIDTH)} ${cell(owner, ARENA_WIDTH, 'right')}`
  const room = width - text.length - 3
  const user = Math.min(room, MOST_PREVIEW, size - session.wordBytes * 2)
  const preview = user > 0 ? asciiText(session.read(offset(at, session.wordBytes * 2), user), 0, user) : ''
  if (index === cursor) return paint.selected(cell(`▸${text}  ${preview}`, width))
  const styled = text.replace(cell(name, STATE_WIDTH), paint.state[name](cell(name, STATE_WIDTH)))
  return ` ${styled}  ${paint.dim(preview)}`
}

function detail(state: TuiState, session: Session): string {
  const at = chunkUnderCursor(state)
  return at === null ? '' : (session.describe(at).lines[0] ?? '')
}

/** The chunks: `f` and `/` choose, `s` sorts, Enter shows one in Memory. */
export const chunksPane: Pane = {
  id: 'chunks',
  title: 'Chunks',
  help: [
    { keys: 'Enter', does: 'the chunk in Memory' },
    { keys: 'f', does: `which: ${Object.keys(STATE_GROUPS).join(', ')}` },
    { keys: 'a', does: 'only the arena of this chunk, all arenas' },
    { keys: '/', does: 'type which: arena 3 free min 1M max 2G' },
    { keys: 's S', does: 'by address, by size; turn it round' },
    { keys: ':chunk', does: 'go to the chunk that holds an address' },
  ],
  hints: [
    { keys: 'Enter', does: 'memory' },
    { keys: 'f', does: 'which' },
    { keys: 'a', does: 'arena' },
    { keys: 's', does: 'sort' },
    { keys: '/', does: 'filter' },
  ],
  onKey,
  onClick(state, row, _column, session) {
    const { cursor, top, view } = state.chunks
    const at = top + row - 2
    if (row < 2 || row - 2 >= pageOf(state) || at >= (view?.count ?? 0)) return state
    return at === cursor ? open(state, session) : withCursor(state, at)
  },
  onFilter(state, text) {
    const filter = parseChunkFilter(text)
    return typeof filter === 'string' ? withNotice(state, 'error', filter) : changed(state, { filter })
  },
  filterOf: ({ chunks }) => chunkFilterText(chunks.filter),
  settle: (state) => withCursor(state, state.chunks.cursor),

  rows(state, session, paint) {
    const { columns, rows } = bodySize(state)
    const { view, top, cursor, isDone, error } = state.chunks
    if (error !== null) return ['', ` the chunks could not be listed: ${error}`]
    const head = [
      paint.dim(cell(summary(state), columns)),
      paint.title(
        ` ${cell('chunk', ADDRESS_WIDTH)} ${cell('bytes', SIZE_WIDTH, 'right')} ${cell('state', STATE_WIDTH)} ${cell('arena', ARENA_WIDTH, 'right')}  user bytes`,
      ),
    ]
    if (!view || view.count === 0) {
      const why = isDone ? 'there is no such chunk · f or / shows others' : (nothingYet(state) ?? 'listing …')
      return [...head, '', ` ${why}`].slice(0, rows)
    }
    const page = pageOf(state)
    const shown = Array.from({ length: Math.min(page, view.count - top) }, (_, i) =>
      chunkRow(state, session, top + i, paint),
    )
    while (shown.length < page) shown.push('')
    const place = `${countText(cursor + 1)}/${countText(view.count)}`
    const about = clip(detail(state, session), Math.max(0, columns - place.length - 3))
    return [...head, ...shown, ` ${cell(about, columns - place.length - 3)} ${paint.dim(place)}`].slice(
      0,
      rows,
    )
  },

  copyable(state, session) {
    const at = chunkUnderCursor(state)
    return { address: at === null ? null : hex(at), row: at === null ? null : detail(state, session) }
  },
}
