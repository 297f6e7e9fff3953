// The TUI's behaviour: (state, action, session) → state. No I/O but questions to the session; no terminal.
import { type Address, address } from '../../memory/address.js'
import type { Session } from '../../session/session.js'
import { parseCommand } from './command.js'
import type { Key } from './keys.js'
import { enterPane, goBack, goToAddress } from './navigation.js'
import { PANES, paneOf } from './panes.js'
import { type Action, type Size, type TuiState, withNotice } from './tui-state.js'

const MOST_SYMBOLS = 20_000

/** The first state of a session: the overview, and Memory waiting at the first arena's heap. */
export function initialState(session: Session, size: Size): TuiState {
  const arena = session.report.heap?.arenas[0]
  const wanted = arena ? BigInt(arena.heaps[0]?.address ?? arena.address) : 0n
  const start = session.nextMapped(address(wanted), 1) ?? (0n as Address)
  const memory = { top: start, cursor: start, view: 'bytes' as const }
  const state: TuiState = {
    size,
    pane: 'overview',
    overview: { top: 0 },
    arenas: { cursor: 0, top: 0, sort: 'free', reversed: false },
    memory,
    threads: { cursor: 0, top: 0, sort: 'bytes', reversed: false },
    findings: { cursor: 0, top: 0, detail: null },
    regions: { cursor: 0, top: 0, sort: 'address', reversed: false },
    history: [],
    prompt: null,
    help: false,
    notice: null,
    refreshing: false,
    symbols: new Map(),
    stacks: null,
    ended: null,
  }
  return settled(state, session)
}

/** The state after `action`. */
export function reduce(state: TuiState, action: Action, session: Session): TuiState {
  switch (action.type) {
    case 'resize':
      return settled({ ...state, size: action.size }, session)
    case 'symbols': {
      const next = { ...state, symbols: merged(state.symbols, action.found) }
      return action.error === null ? next : withNotice(next, 'error', `no symbols: ${action.error}`)
    }
    case 'stacks': {
      const next = { ...state, stacks: action.stacks }
      return action.error === null ? next : withNotice(next, 'error', `no stacks: ${action.error}`)
    }
    case 'refreshed': {
      const next = settled({ ...state, refreshing: false, symbols: new Map(), stacks: null }, session)
      if (action.error !== null) return withNotice(next, 'error', `refresh failed: ${action.error}`)
      return withNotice(next, 'note', 'refreshed')
    }
    case 'key':
      return onKey(state, action.key, session)
  }
}

function merged(known: ReadonlyMap<bigint, string | null>, found: ReadonlyMap<bigint, string | null>) {
  return new Map([...(known.size > MOST_SYMBOLS ? [] : known), ...found])
}

function settled(state: TuiState, session: Session): TuiState {
  return PANES.reduce((next, pane) => pane.settle(next, session), state)
}

function onKey(state: TuiState, key: Key, session: Session): TuiState {
  if (key === 'ctrl-c') return { ...state, ended: 'SIGINT' }
  if (state.help) return { ...state, help: false }
  if (state.prompt !== null) return onPromptKey(state, state.prompt, key, session)
  const quiet = { ...state, notice: null }
  return paneOf(state.pane).onKey(quiet, key, session) ?? onGlobalKey(quiet, key, session)
}

function onGlobalKey(state: TuiState, key: Key, session: Session): TuiState {
  switch (key) {
    case 'q':
      return { ...state, ended: 'quit' }
    case '?':
      return { ...state, help: true }
    case ':':
      return { ...state, prompt: '' }
    case 'escape':
    case 'backspace':
      return goBack(state)
    case 'tab':
      return paneBeside(state, 1)
    case 'shift-tab':
      return paneBeside(state, -1)
    case 'r':
      return refresh(state, session)
    default: {
      const pane = /^[1-9]$/.test(key) ? PANES[Number(key) - 1] : undefined
      return pane ? { ...state, pane: pane.id } : state
    }
  }
}

function paneBeside(state: TuiState, step: 1 | -1): TuiState {
  const index = PANES.findIndex((pane) => pane.id === state.pane)
  return { ...state, pane: PANES[(index + step + PANES.length) % PANES.length]!.id }
}

function refresh(state: TuiState, session: Session): TuiState {
  if (!session.isLive) return withNotice(state, 'note', 'this target does not change: nothing to refresh')
  return { ...state, refreshing: true }
}

function onPromptKey(state: TuiState, text: string, key: Key, session: Session): TuiState {
  if (key === 'escape') return { ...state, prompt: null, notice: null }
  if (key === 'enter') return runCommand({ ...state, prompt: null, notice: null }, text, session)
  if (key === 'ctrl-u') return { ...state, prompt: '', notice: null }
  if (key === 'backspace')
    return text === '' ? { ...state, prompt: null } : { ...state, prompt: [...text].slice(0, -1).join('') }
  return [...key].length === 1 ? { ...state, prompt: text + key } : state
}

function runCommand(state: TuiState, text: string, session: Session): TuiState {
  const command = parseCommand(text, session.report)
  switch (command.kind) {
    case 'nothing':
      return state
    case 'error':
      return withNotice(state, 'error', command.text)
    case 'quit':
      return { ...state, ended: 'quit' }
    case 'help':
      return { ...state, help: true }
    case 'refresh':
      return refresh(state, session)
    case 'pane':
      return enterPane(state, command.pane)
    case 'address':
      return goToAddress(state, session, command.at)
  }
}
