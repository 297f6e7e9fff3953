// What the TUI knows besides the session: plain data, changed only by the reducer in reduce.ts.
import type { Address } from '../../memory/address.js'
import type { Report } from '../../report/report.js'
import type { Session } from '../../session/session.js'
import type { ChunksState } from './chunks/chunks-state.js'
import type { Dialog } from './dialog.js'
import type { HeapMapState } from './heap-map/heap-map-state.js'
import type { Key } from './keys.js'
import type { Paint } from './paint.js'
import type { Prompt, Typed } from './prompt.js'
import type { RegionMapState } from './region-map/region-map-state.js'

export interface Size {
  readonly columns: number
  readonly rows: number
}

export type PaneId =
  | 'overview'
  | 'arenas'
  | 'heap-map'
  | 'chunks'
  | 'memory'
  | 'threads'
  | 'findings'
  | 'regions'

/** Columns that the arena table sorts by; `ring` is glibc's own order. */
export type ArenaSort = 'ring' | 'system' | 'in use' | 'free' | 'threads' | 'use'
export type ThreadSort = 'thread' | 'arena' | 'bytes' | 'chunks' | 'name'
export type RegionSort = 'address' | 'size' | 'resident' | 'category' | 'path'

/** A sorted list with a cursor; `top` is the first row on the screen. */
export interface ListState<Sort extends string> {
  readonly cursor: number
  readonly top: number
  readonly sort: Sort
  readonly reversed: boolean
  /** Names the row under the cursor: it stays there when a refresh moves rows. Null before anything was moved. */
  readonly key: string | null
  /** Only rows that hold this text are shown; all when it is empty. */
  readonly filter: string
}

export interface ArenasState extends ListState<ArenaSort> {
  /** Indexes of the arenas whose heaps are shown. */
  readonly unfolded: ReadonlySet<number>
}

/** `detail`: the first row shown of the finding under the cursor, null while the list is shown. */
export interface FindingsState {
  readonly cursor: number
  readonly top: number
  readonly detail: number | null
}

export interface MemoryState {
  /** First row on the screen, and the word under the cursor. */
  readonly top: Address
  readonly cursor: Address
  readonly view: 'bytes' | 'words' | 'chunks'
}

/** What is looked for in memory, and how far the search is. */
export interface FindState {
  readonly text: string
  readonly from: Address
  readonly direction: 1 | -1
  readonly isRunning: boolean
  /** 0 … 1. */
  readonly fraction: number
  /** Tells one search from the next. */
  readonly serial: number
}

/** Where Esc goes back to. */
export interface Place {
  readonly pane: PaneId
  readonly arenas: ArenasState
  readonly memory: MemoryState
  readonly findings: FindingsState
  readonly heapMap: HeapMapState
  readonly chunks: Pick<ChunksState, 'filter' | 'sort' | 'reversed' | 'cursor' | 'top'>
}

export interface Notice {
  readonly kind: 'note' | 'error'
  readonly text: string
}

/** A live target as the last tick saw it. */
export interface LiveState {
  /** `running`, `sleeping`, `stopped`, `gone`; null: not known. */
  readonly process: string | null
  /** Seconds since it was read. */
  readonly ageSeconds: number
}

/** How the user left. */
export type Ending = 'quit' | 'SIGINT'

export interface TuiState {
  readonly size: Size
  readonly pane: PaneId
  readonly overview: { readonly top: number }
  readonly arenas: ArenasState
  readonly heapMap: HeapMapState
  readonly chunks: ChunksState
  readonly memory: MemoryState
  readonly threads: ListState<ThreadSort>
  readonly findings: FindingsState
  readonly regions: ListState<RegionSort>
  readonly regionMap: RegionMapState
  readonly history: readonly Place[]
  /** Null when no prompt is open. */
  readonly prompt: Prompt | null
  readonly typed: Typed
  readonly find: FindState | null
  readonly dialog: Dialog | null
  /** First line of the help that is shown; null when it is closed. */
  readonly helpTop: number | null
  readonly notice: Notice | null
  /** True asks the runtime for session.refresh(), until its answer comes back as an action. */
  readonly refreshing: boolean
  /** Seconds between refreshes of a live target; null: only when asked. */
  readonly everySeconds: number | null
  readonly live: LiveState | null
  /** Set while the heaps are still being read. */
  readonly loading: { readonly text: string; readonly fraction: number } | null
  /** The report that the panes were settled on, and the one before a refresh, whose differences are marked. */
  readonly report: Report
  readonly before: Report | null
  /** Answers of session.symbolsOf so far. */
  readonly symbols: ReadonlyMap<bigint, string | null>
  /** The answer of session.stacks: functions by tid; null until it came. */
  readonly stacks: ReadonlyMap<number, readonly string[]> | null
  /** A report to be written: its format and file. */
  readonly exporting: { readonly format: string; readonly file: string } | null
  /** For the clipboard of the terminal; the runtime sends it once. */
  readonly copied: { readonly text: string; readonly serial: number } | null
  readonly mouse: boolean
  readonly ended: Ending | null
}

/** A key or keys and what they do, for the footer and the help. */
export interface KeyHelp {
  readonly keys: string
  readonly does: string
}

/** What `y` and `Y` copy: the address and the whole of what the cursor is on. */
export interface Copyable {
  readonly address: string | null
  readonly row: string | null
}

/** One pane: pure functions of state, session and the room it gets. */
export interface Pane {
  readonly id: PaneId
  readonly title: string
  /** Title where there is little room. */
  readonly shortTitle?: string
  readonly help: readonly KeyHelp[]
  /** What the footer shows, most useful first. */
  readonly hints: readonly KeyHelp[]
  /** The state after the key, or null when the pane does not know the key. */
  onKey(state: TuiState, key: Key, session: Session): TuiState | null
  /** The state after a click on row `row` (from 0) of the body; absent: clicks do nothing. */
  onClick?(state: TuiState, row: number, column: number, session: Session): TuiState
  /** The state with only the rows that match `text`; absent: `/` looks for bytes instead. */
  onFilter?(state: TuiState, text: string, session: Session): TuiState
  /** The filter that is set, for the prompt. */
  filterOf?(state: TuiState): string
  /** The state with this pane's cursor inside its list and on the screen; after a resize or a refresh. */
  settle(state: TuiState, session: Session): TuiState
  /** At most `bodySize(state).rows` rows of at most its columns, coloured by `paint`. */
  rows(state: TuiState, session: Session, paint: Paint): string[]
  /** What the cursor is on. */
  copyable?(state: TuiState, session: Session): Copyable
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
