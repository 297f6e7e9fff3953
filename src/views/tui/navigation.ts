// Going to an address, and back.
import { type Address, hex, offset } from '../../memory/address.js'
import type { Session } from '../../session/session.js'
import { type ChunksState, viewName } from './chunks/chunks-state.js'
import { shapeFor } from './dump-shape.js'
import { isMapped, rowStart } from './memory-rows.js'
import { type MemoryState, type Place, type TuiState, withNotice } from './tui-state.js'

const REMEMBERED = 200

function placeOf(state: TuiState): Place {
  const { filter, sort, reversed, cursor, top } = state.chunks
  return {
    pane: state.pane,
    arenas: state.arenas,
    memory: state.memory,
    findings: state.findings,
    heapMap: state.heapMap,
    chunks: { filter, sort, reversed, cursor, top },
  }
}

/** Bytes of one row of the Memory pane as it is now. */
export function rowBytesOf(state: TuiState, session: Session, view: MemoryState['view'] = state.memory.view) {
  return shapeFor(view, state.size.columns, session.wordBytes).bytes
}

/** The list link stored at the cursor of the Memory pane, or undefined. */
export function linkUnderCursor({ memory: { cursor } }: TuiState, session: Session) {
  const chunk = session.chunksIn(cursor, offset(cursor, 1))[0]
  return chunk && session.linksOf(chunk).find(({ at }) => at === cursor)
}

/** The Memory pane at `at`, with the way back remembered; an error line when nothing is mapped there. */
export function goToAddress(state: TuiState, session: Session, at: bigint): TuiState {
  if (!isMapped(session, at)) {
    const next = at >= 0n && at >> 64n === 0n ? session.nextMapped(at as Address, 1) : null
    const hint = next === null ? '' : `; the next mapped address is ${hex(next)}`
    return withNotice(state, 'error', `${hex(at)} is not mapped${hint}`)
  }
  const memory: MemoryState = {
    ...state.memory,
    cursor: rowStart(at, session.wordBytes),
    top: rowStart(at, rowBytesOf(state, session)),
  }
  const history = [...state.history, placeOf(state)].slice(-REMEMBERED)
  return { ...state, pane: 'memory', memory, history, notice: null }
}

/** Where the last jump came from; a note when there is no way back. */
export function goBack(state: TuiState): TuiState {
  const place = state.history.at(-1)
  if (!place) return withNotice(state, 'note', 'nothing to go back to · q quits')
  return {
    ...state,
    pane: place.pane,
    arenas: place.pane === 'arenas' ? place.arenas : state.arenas,
    memory: place.memory,
    findings: place.pane === 'findings' ? place.findings : state.findings,
    heapMap: place.pane === 'heap-map' ? place.heapMap : state.heapMap,
    chunks: place.pane === 'chunks' ? chunksAgain(state.chunks, place.chunks) : state.chunks,
    history: state.history.slice(0, -1),
    notice: null,
  }
}

/** The list as it was; what is listed of another choice is listed again. */
function chunksAgain(now: ChunksState, then: Place['chunks']): ChunksState {
  const isSame = viewName(now) === viewName(then)
  return isSame ? { ...now, ...then } : { ...now, ...then, isDone: false, isAsked: true, wanted: null }
}

/** `state` from which Esc comes back to where it is now. */
export function rememberPlace(state: TuiState): TuiState {
  return { ...state, history: [...state.history, placeOf(state)].slice(-REMEMBERED) }
}

/** Another pane, with the way back remembered. */
export function enterPane(state: TuiState, pane: TuiState['pane']): TuiState {
  return { ...rememberPlace(state), pane, notice: null }
}

/** The Memory pane at `at`; a step from one place found to the next leaves the way back as it is. */
export function landAt(state: TuiState, session: Session, at: Address): TuiState {
  const next = goToAddress(state, session, at)
  return state.pane === 'memory' && state.history.length > 0 ? { ...next, history: state.history } : next
}
