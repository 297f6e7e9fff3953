// What the TUI knows besides the session: plain data, changed only by the reducer in reduce.ts.
import type { Address } from '../../memory/address.js'
import type { Session } from '../../session/session.js'
import type { Key } from './keys.js'
import type { Paint } from './paint.js'

export interface Size {
  readonly columns: number
  readonly rows: number
}

export type PaneId = 'overview' | 'arenas' | 'memory' | 'threads' | 'findings' | 'regions'

/** Columns that the arena table sorts by; `ring` is glibc's own order. */
export type ArenaSort = 'ring' | 'system' | 'in use' | 'free' | 'threads' | 'use'

/** A sorted list with a cursor; `top` is the first row on the screen. */
export interface ListState<Sort extends string> {
  readonly cursor: number
  readonly top: number
  readonly sort: Sort
  readonly reversed: boolean
}

export type ThreadSort = 'thread' | 'arena' | 'bytes' | 'chunks' | 'name'
export type RegionSort = 'address' | 'size' | 'resident' | 'category' | 'path'

/** `detail`: the first row shown of the finding under the cursor, null while the list is shown. */
export interface FindingsState {
  readonly cursor: number
  readonly top: number
  readonly detail: number | null
}

/** A list with a cursor of which `top` is the first row on the screen. */
export interface ArenasState {
  readonly cursor: number
  readonly top: number
  readonly sort: ArenaSort
  readonly reversed: boolean
}

export interface MemoryState {
  /** First row on the screen, and the word under the cursor. */
  readonly top: Address
  readonly cursor: Address
  readonly view: 'bytes' | 'words'
}

/** Where Esc goes back to. */
export interface Place {
  readonly pane: PaneId
  readonly memory: MemoryState
  readonly findings: FindingsState
}

export interface Notice {
  readonly kind: 'note' | 'error'
  readonly text: string
}

/** How the user left. */
export type Ending = 'quit' | 'SIGINT'

export interface TuiState {
  readonly size: Size
  readonly pane: PaneId
  readonly overview: { readonly top: number }
  readonly arenas: ArenasState
  readonly memory: MemoryState
  readonly threads: ListState<ThreadSort>
  readonly findings: FindingsState
  readonly regions: ListState<RegionSort>
  readonly history: readonly Place[]
  /** The text typed after `:`; null when the prompt is closed. */
  readonly prompt: string | null
  readonly help: boolean
  readonly notice: Notice | null
  /** True asks the runtime for session.refresh(), until its answer comes back as an action. */
  readonly refreshing: boolean
  /** Answers of session.symbolsOf so far. */
  readonly symbols: ReadonlyMap<bigint, string | null>
  /** The answer of session.stacks: functions by tid; null until it came. */
  readonly stacks: ReadonlyMap<number, readonly string[]> | null
  readonly ended: Ending | null
}

export type Action =
  | { readonly type: 'key'; readonly key: Key }
  | { readonly type: 'resize'; readonly size: Size }
  /** An error comes with null for every value that was asked for, so that they are not asked for again. */
  | {
      readonly type: 'symbols'
      readonly found: ReadonlyMap<bigint, string | null>
      readonly error: string | null
    }
  | {
      readonly type: 'stacks'
      readonly stacks: ReadonlyMap<number, readonly string[]>
      readonly error: string | null
    }
  | { readonly type: 'refreshed'; readonly error: string | null }

/** A key or keys and what they do, for the footer and the help. */
export interface KeyHelp {
  readonly keys: string
  readonly does: string
}

/** One pane: pure functions of state, session and the room it gets. */
export interface Pane {
  readonly id: PaneId
  readonly title: string
  readonly help: readonly KeyHelp[]
  /** What the footer shows, most useful first. */
  readonly hints: readonly KeyHelp[]
  /** The state after the key, or null when the pane does not know the key. */
  onKey(state: TuiState, key: Key, session: Session): TuiState | null
  /** The state with this pane's cursor inside its list and on the screen; after a resize or a refresh. */
  settle(state: TuiState, session: Session): TuiState
  /** At most `bodySize(state).rows` rows of at most its columns, coloured by `paint`. */
  rows(state: TuiState, session: Session, paint: Paint): string[]
}

/** Header and tabs above every pane, status and keys below it. */
export const ROWS_ABOVE = 2
export const CHROME_ROWS = 4
/** Below this the frame only asks for more room. */
export const SMALLEST: Size = { columns: 36, rows: 8 }

/** The room between the header and the footer. */
export function bodySize(state: { readonly size: Size }): Size {
  return { columns: state.size.columns, rows: Math.max(0, state.size.rows - CHROME_ROWS) }
}

/** `state` with a line for the user; it stays until the next key. */
export function withNotice(state: TuiState, kind: Notice['kind'], text: string): TuiState {
  return { ...state, notice: { kind, text } }
}
