// Pane 5: the target's bytes, with malloc's chunks marked and pointers that can be followed.
import { type Address, address, hex, offset } from '../../../memory/address.js'
import type { Session } from '../../../session/session.js'
import { wordValue } from '../dump-text.js'
import type { Key } from '../keys.js'
import { isMapped, moveLines, rowStart, topFor, topWithLast } from '../memory-rows.js'
import { goToAddress, linkUnderCursor, rememberPlace, rowBytesOf } from '../navigation.js'
import { paintFor } from '../paint.js'
import { bodySize, type MemoryState, type Pane, type TuiState, withNotice } from '../tui-state.js'
import { memoryChunkRows, moveChunks, toHeapEnd, withTop } from './memory-chunks.js'
import { cursorRows } from './memory-cursor.js'
import { dumpRows, memoryPage } from './memory-dump.js'

const PLAIN = paintFor(false)

function shown(state: TuiState, session: Session, memory: MemoryState): TuiState {
  const top = topFor(session, memory, memoryPage(state), rowBytesOf(state, session, memory.view))
  return { ...state, memory: { ...memory, top } }
}

/** Chunks on the screen: the heading takes a row. */
function chunkPage(state: TuiState): number {
  return Math.max(1, memoryPage(state) - 1)
}

function byLines(state: TuiState, session: Session, lines: number): TuiState {
  if (state.memory.view === 'chunks') return moveChunks(state, session, lines, chunkPage(state))
  const bytes = rowBytesOf(state, session)
  return shown(state, session, moveLines(session, state.memory, lines, bytes, session.wordBytes))
}

function byWords(state: TuiState, session: Session, words: 1 | -1): TuiState {
  if (state.memory.view === 'chunks') return moveChunks(state, session, words, chunkPage(state))
  const { memory } = state
  const word = session.wordBytes
  if (words < 0 && memory.cursor === 0n) return state
  const wanted = words < 0 ? address(memory.cursor - 1n) : offset(memory.cursor, word)
  const mapped = wanted === 0n && words > 0 ? null : session.nextMapped(wanted, words)
  return mapped === null ? state : shown(state, session, { ...memory, cursor: rowStart(mapped, word) })
}

function toEnd(state: TuiState, session: Session, direction: 1 | -1): TuiState {
  if (state.memory.view === 'chunks') return toHeapEnd(state, session, direction, chunkPage(state))
  const from = direction === 1 ? 0n : (1n << 64n) - 1n
  const mapped = session.nextMapped(address(from), direction)
  if (mapped === null) return state
  const bytes = rowBytesOf(state, session)
  const cursor = rowStart(mapped, direction === 1 ? bytes : session.wordBytes)
  const row = rowStart(mapped, bytes)
  const top = direction === 1 ? row : topWithLast(session, row, memoryPage(state), bytes)
  return { ...state, memory: { ...state.memory, cursor, top } }
}

/** To the start of the chunk after (1) or before (-1) the one under the cursor. */
function byChunk(state: TuiState, session: Session, direction: 1 | -1): TuiState {
  if (state.memory.view === 'chunks') return moveChunks(state, session, direction, chunkPage(state))
  const { cursor } = state.memory
  const here = session.chunksIn(cursor, offset(cursor, 1))[0]
  if (!here) return withNotice(state, 'error', "no malloc chunk here: [ and ] move inside malloc's heaps")
  let at: Address | undefined
  if (direction === 1) {
    const end = offset(here.address, here.sizeBytes)
    at = session.chunksIn(end, offset(end, 1))[0]?.address
  } else {
    at =
      cursor > here.address
        ? here.address
        : session.chunksIn(offset(here.address, -1), here.address).at(-1)?.address
  }
  if (at === undefined)
    return withNotice(state, 'note', `this is the ${direction === 1 ? 'last' : 'first'} chunk of its heap`)
  return landed(state, session, at)
}

/** The cursor at `at`: on the screen as it is when that shows it, else at the top of another. */
function landed(state: TuiState, session: Session, at: Address): TuiState {
  const cursor = rowStart(at, session.wordBytes)
  const next = shown(state, session, { ...state.memory, cursor })
  if (next.memory.top === state.memory.top) return next
  return { ...state, memory: { ...state.memory, cursor, top: rowStart(cursor, rowBytesOf(state, session)) } }
}

function follow(state: TuiState, session: Session): TuiState {
  if (state.memory.view === 'chunks') return withView(rememberPlace(state), session, 'words')
  const { cursor } = state.memory
  const stored = wordValue(session.read(cursor, session.wordBytes), 0, session.wordBytes)
  const value = linkUnderCursor(state, session)?.target ?? stored
  if (value === null) return withNotice(state, 'error', `the word at ${hex(cursor)} could not be read`)
  if (isMapped(session, value)) return goToAddress(state, session, value)
  return withNotice(state, 'error', `${hex(value)} is no pointer: nothing is mapped there`)
}

function withView(state: TuiState, session: Session, view: MemoryState['view']): TuiState {
  if (view === 'chunks')
    return withTop({ ...state, memory: { ...state.memory, view } }, session, chunkPage(state))
  const top = rowStart(state.memory.top, rowBytesOf(state, session, view))
  return shown(state, session, { ...state.memory, view, top })
}

function motion(state: TuiState, key: Key, session: Session): TuiState | null {
  const page = memoryPage(state)
  const half = Math.max(1, page >> 1)
  const lines: Readonly<Record<Key, number>> = {
    j: 1,
    down: 1,
    k: -1,
    up: -1,
    pagedown: page,
    'ctrl-f': page,
    pageup: -page,
    'ctrl-b': -page,
    'ctrl-d': half,
    'ctrl-u': -half,
  }
  const many = Object.hasOwn(lines, key) ? lines[key] : undefined
  return many === undefined ? null : byLines(state, session, many)
}

const ACTIONS: Readonly<Record<Key, (state: TuiState, session: Session) => TuiState>> = {
  l: (state, session) => byWords(state, session, 1),
  right: (state, session) => byWords(state, session, 1),
  h: (state, session) => byWords(state, session, -1),
  left: (state, session) => byWords(state, session, -1),
  g: (state, session) => toEnd(state, session, 1),
  home: (state, session) => toEnd(state, session, 1),
  G: (state, session) => toEnd(state, session, -1),
  end: (state, session) => toEnd(state, session, -1),
  ']': (state, session) => byChunk(state, session, 1),
  '[': (state, session) => byChunk(state, session, -1),
  x: (state, session) => withView(state, session, 'bytes'),
  w: (state, session) => withView(state, session, 'words'),
  c: (state, session) => withView(state, session, 'chunks'),
  enter: follow,
}

/** The hexdump over the whole address space. */
export const memoryPane: Pane = {
  id: 'memory',
  title: 'Memory',
  help: [
    { keys: 'x w c', does: 'show bytes, words with symbols, chunks' },
    { keys: '/ n N', does: 'find text, 0xPOINTER or bytes; the next, the one before' },
    { keys: 'h l ← →', does: 'word before, word after' },
    { keys: '[ ]', does: 'chunk before, chunk after' },
    { keys: 'Enter', does: 'follow the pointer under the cursor' },
  ],
  hints: [
    { keys: 'Enter', does: 'follow' },
    { keys: 'x w c', does: 'view' },
    { keys: '/', does: 'find' },
    { keys: '[ ]', does: 'chunk' },
    { keys: ':', does: 'go to' },
    { keys: 'Esc', does: 'back' },
  ],

  onKey(state, key, session) {
    const action = Object.hasOwn(ACTIONS, key) ? ACTIONS[key] : undefined
    return action ? action(state, session) : motion(state, key, session)
  },

  settle: (state, session) => withView(state, session, state.memory.view),

  rows(state, session, paint) {
    const page = memoryPage(state)
    const dump =
      state.memory.view === 'chunks'
        ? memoryChunkRows(state, session, page, paint)
        : dumpRows(state, session, page, paint)
    if (dump.length === 0) return ['', ' this target has no memory to show']
    while (dump.length < page) dump.push('')
    return [...dump, ...cursorRows(state, session, paint)].slice(0, bodySize(state).rows)
  },

  copyable(state, session) {
    const { cursor } = state.memory
    return {
      address: hex(cursor),
      row: cursorRows(state, session, PLAIN)
        .map((row) => row.trim())
        .join('\n'),
    }
  },
}
