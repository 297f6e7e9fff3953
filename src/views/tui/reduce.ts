// The TUI's behaviour: (state, action, session) → state. No I/O but questions to the session; no terminal.
import { type Address, address } from '../../memory/address.js'
import type { Session } from '../../session/session.js'
import type { Action } from './actions.js'
import { NO_CHUNKS, viewName } from './chunks/chunks-state.js'
import { onDialogKey } from './dialog-keys.js'
import { NO_HEAP } from './heap-map/heap-map-state.js'
import { onHelpKey } from './help.js'
import type { Key } from './keys.js'
import { goBack, landAt } from './navigation.js'
import { onMouse } from './on-mouse.js'
import { chunkUnderCursor, withView } from './panes/chunks.js'
import { pagesName, shownHeap } from './panes/heap-map.js'
import { PANES, paneOf } from './panes.js'
import { NOTHING_TYPED, openPrompt } from './prompt.js'
import { NO_REGION_MAP } from './region-map/region-map-state.js'
import { findNext, refresh } from './run-command.js'
import { onPromptKey } from './run-prompt.js'
import { type ListState, type Size, type TuiState, withNotice } from './tui-state.js'

const MOST_SYMBOLS = 20_000

function firstList<Sort extends string>(sort: Sort): ListState<Sort> {
  return { cursor: 0, top: 0, sort, reversed: false, key: null, filter: '' }
}

/** The first state of a session: the overview, and Memory waiting at the first arena's heap. */
export function initialState(session: Session, size: Size): TuiState {
  const arena = session.report.heap?.arenas[0]
  const wanted = arena ? BigInt(arena.heaps[0]?.address ?? arena.address) : 0n
  const start = session.nextMapped(address(wanted), 1) ?? (0n as Address)
  const state: TuiState = {
    size,
    pane: 'overview',
    overview: { top: 0 },
    arenas: { ...firstList('free'), unfolded: new Set() },
    heapMap: NO_HEAP,
    chunks: NO_CHUNKS,
    memory: { top: start, cursor: start, view: 'bytes' },
    threads: firstList('bytes'),
    findings: { cursor: 0, top: 0, detail: null },
    regions: firstList('address'),
    regionMap: NO_REGION_MAP,
    history: [],
    prompt: null,
    typed: NOTHING_TYPED,
    find: null,
    dialog: null,
    helpTop: null,
    notice: null,
    refreshing: false,
    everySeconds: null,
    live: null,
    loading: null,
    report: session.report,
    before: null,
    symbols: new Map(),
    stacks: null,
    exporting: null,
    copied: null,
    mouse: true,
    ended: null,
  }
  return settled(state, session)
}

/** The state after `action`. */
export function reduce(state: TuiState, action: Action, session: Session): TuiState {
  switch (action.type) {
    case 'nothing':
      return state
    case 'key':
      return onKey(state, action.key, session)
    case 'resize':
      return settled({ ...state, size: action.size }, session)
    case 'symbols':
      return told({ ...state, symbols: merged(state.symbols, action.found) }, 'no symbols', action.error)
    case 'stacks':
      return told({ ...state, stacks: action.stacks }, 'no stacks', action.error)
    case 'refreshed': {
      const next = { ...seenAnew(state, session), refreshing: false }
      if (action.error !== null)
        return withNotice({ ...next, everySeconds: null }, 'error', `refresh failed: ${action.error}`)
      return state.everySeconds === null ? withNotice(next, 'note', 'refreshed') : next
    }
    case 'loading':
      return settled({ ...atTheTop(state), loading: action.loading, report: session.report }, session)
    case 'opened':
      return { ...seenAnew({ ...atTheTop(state), loading: null }, session), before: null }
    case 'tick':
      return { ...state, live: action.live }
    case 'chunks':
      return action.view.name === viewName(state.chunks) ? withView(state, action.view, action.isDone) : state
    case 'chunks-failed':
      return { ...state, chunks: { ...state.chunks, isDone: true, wanted: null, error: action.error } }
    case 'heap-pages': {
      const shown = shownHeap(state, session)
      if (!shown || pagesName(shown) !== action.pages.name) return state
      const heapMap = { ...state.heapMap, pages: action.pages, isDone: action.isDone }
      return paneOf('heap-map').settle({ ...state, heapMap }, session)
    }
    case 'searching':
      if (state.find?.serial !== action.serial) return state
      return { ...state, find: { ...state.find, fraction: action.fraction } }
    case 'found':
      return found(state, action, session)
    case 'dialog':
      if (state.dialog === null) return state
      return {
        ...state,
        dialog: action.dialog,
        refreshing: state.refreshing || action.dialog?.phase === 'done',
      }
    case 'exported': {
      const next = { ...state, exporting: null }
      return action.error === null
        ? withNotice(next, 'note', action.text)
        : withNotice(next, 'error', action.error)
    }
  }
}

function told(state: TuiState, what: string, error: string | null): TuiState {
  return error === null ? state : withNotice(state, 'error', `${what}: ${error}`)
}

/** Another report: what was asked of the one before is asked again, cursors stay where they are. */
function seenAnew(state: TuiState, session: Session): TuiState {
  const { chunks, heapMap } = state
  const wanted = chunks.wanted ?? chunkUnderCursor(state)
  const isShown = state.pane === 'chunks'
  return settled(
    {
      ...state,
      symbols: new Map(),
      stacks: null,
      before: state.report === session.report ? state.before : state.report,
      report: session.report,
      chunks: { ...chunks, wanted, isDone: false, isAsked: chunks.isAsked && isShown, error: null },
      heapMap: { ...heapMap, isDone: false },
    },
    session,
  )
}

/** A cursor on the first row is nobody's choice while heaps are still being read: it stays there, whatever comes first then. */
function atTheTop(state: TuiState): TuiState {
  const { arenas, threads } = state
  return {
    ...state,
    arenas: arenas.cursor === 0 ? { ...arenas, key: null } : arenas,
    threads: threads.cursor === 0 ? { ...threads, key: null } : threads,
  }
}

function merged(known: ReadonlyMap<bigint, string | null>, found: ReadonlyMap<bigint, string | null>) {
  return new Map([...(known.size > MOST_SYMBOLS ? [] : known), ...found])
}

function settled(state: TuiState, session: Session): TuiState {
  return PANES.reduce((next, pane) => pane.settle(next, session), state)
}

function found(state: TuiState, action: Extract<Action, { type: 'found' }>, session: Session): TuiState {
  const { find } = state
  if (find?.serial !== action.serial) return state
  const next = { ...state, find: { ...find, isRunning: false, fraction: 1 } }
  if (action.error !== null) return withNotice(next, 'error', action.error)
  if (action.at === null)
    return withNotice(next, 'note', `${find.text} is nowhere in the memory that can be read here`)
  const wrapped = find.direction === 1 ? action.at <= find.from : action.at >= find.from
  const landed = landAt(next, session, action.at)
  return withNotice(
    landed,
    'note',
    `found ${find.text}${wrapped ? ' · from the other end on' : ''} · n next, N before`,
  )
}

function onKey(state: TuiState, key: Key, session: Session): TuiState {
  if (key === 'ctrl-c' && state.dialog?.phase !== 'running') return { ...state, ended: 'SIGINT' }
  if (state.dialog) return onDialogKey(state, state.dialog, key)
  if (state.helpTop !== null) return onHelpKey(state, state.helpTop, key)
  if (state.prompt !== null) return onPromptKey(state, state.prompt, key, session)
  const quiet = { ...state, notice: null }
  if (state.find?.isRunning && key === 'escape')
    return withNotice({ ...quiet, find: { ...state.find, isRunning: false } }, 'note', 'no longer looking')
  const pane = paneOf(state.pane)
  const clicked = onMouse(quiet, key, session)
  return shown(clicked ?? pane.onKey(quiet, key, session) ?? onGlobalKey(quiet, key, session))
}

/** A pane that lists chunks is filled once it is looked at. */
function shown(state: TuiState): TuiState {
  if (state.pane !== 'chunks' || state.chunks.isAsked) return state
  return { ...state, chunks: { ...state.chunks, isAsked: true } }
}

function onGlobalKey(state: TuiState, key: Key, session: Session): TuiState {
  const pane = paneOf(state.pane)
  switch (key) {
    case 'q':
      return { ...state, ended: 'quit' }
    case '?':
      return { ...state, helpTop: 0 }
    case ':':
      return { ...state, prompt: openPrompt('command') }
    case '/':
      return {
        ...state,
        prompt: pane.onFilter ? openPrompt('filter', pane.filterOf?.(state)) : openPrompt('find'),
      }
    case 'n':
      return findNext(state, 1)
    case 'N':
      return findNext(state, -1)
    case 'escape':
    case 'backspace':
      return back(state, session)
    case 'tab':
      return paneBeside(state, 1)
    case 'shift-tab':
      return paneBeside(state, -1)
    case 'r':
    case 'refresh':
      return refresh(state, session)
    case 'R':
      return every(state, session)
    case 'y':
    case 'Y':
      return copied(state, key, session)
    default: {
      const chosen = /^[1-9]$/.test(key) ? PANES[Number(key) - 1] : undefined
      return chosen ? { ...state, pane: chosen.id } : state
    }
  }
}

/** A place is of the size and the report of then; chunks find theirs again when they are listed. */
function back(state: TuiState, session: Session): TuiState {
  const place = goBack(state)
  return place.pane === 'chunks' ? place : paneOf(place.pane).settle(place, session)
}

function paneBeside(state: TuiState, step: 1 | -1): TuiState {
  const index = PANES.findIndex((pane) => pane.id === state.pane)
  return { ...state, pane: PANES[(index + step + PANES.length) % PANES.length]!.id }
}

const USUAL_SECONDS = 5

function every(state: TuiState, session: Session): TuiState {
  if (!session.isLive) return withNotice(state, 'note', 'this target does not change: nothing to refresh')
  if (state.everySeconds !== null)
    return withNotice({ ...state, everySeconds: null }, 'note', 'no more refreshes by itself')
  return withNotice(
    { ...state, everySeconds: USUAL_SECONDS },
    'note',
    `refreshes every ${USUAL_SECONDS} s · R stops it, :every N changes it`,
  )
}

function copied(state: TuiState, key: 'y' | 'Y', session: Session): TuiState {
  const { address: at, row } = paneOf(state.pane).copyable?.(state, session) ?? { address: null, row: null }
  const text = key === 'y' ? (at ?? row) : row
  if (text === null) return withNotice(state, 'note', 'there is nothing to copy here')
  const serial = (state.copied?.serial ?? 0) + 1
  return withNotice({ ...state, copied: { text, serial } }, 'note', `copied ${text}`)
}
