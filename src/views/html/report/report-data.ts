// What a report's page hands to its script: tables as columns, heaps as cells. Read by browser/report.ts; no contract.
import type { HeapCells } from '../../../report/heap-maps.js'

interface ColumnHead {
  readonly title: string
  /** Not shown: for pictures. */
  readonly hidden?: true
}

/** Numbers as people read them; null is unknown. */
export interface NumberColumn extends ColumnHead {
  readonly kind: 'bytes' | 'count' | 'percent' | 'number'
  readonly values: readonly (number | null)[]
}

/** `address`: hex digits, which sort as numbers do. */
export interface TextColumn extends ColumnHead {
  readonly kind: 'text' | 'address'
  readonly values: readonly (string | null)[]
}

/** Texts that repeat: indexes in `words`; −1 is none. */
export interface WordColumn extends ColumnHead {
  readonly kind: 'word'
  readonly words: readonly string[]
  readonly values: readonly number[]
}

export type Column = NumberColumn | TextColumn | WordColumn

export interface ReportTable {
  /** Id of its element in the page. */
  readonly id: string
  /** What a row is. */
  readonly rowName: readonly [one: string, many: string]
  readonly rows: number
  readonly columns: Readonly<Record<string, Column>>
  /** In which order the rows are; absent: in none that a column tells. */
  readonly sorted?: { readonly column: string; readonly direction: 'ascending' | 'descending' }
}

export interface HeapFigure {
  readonly name: string
  readonly address: string
  readonly sizeBytes: number
  readonly cells: HeapCells
}

/** Chunks of malloc by size; columns in parallel. */
export interface SizeColumns {
  readonly minBytes: readonly number[]
  readonly maxBytes: readonly number[]
  readonly liveChunks: readonly number[]
  readonly liveBytes: readonly number[]
  readonly freeChunks: readonly number[]
  readonly freeBytes: readonly number[]
}

/** What regions of heaps hold, by the chunks in them; `rows` are of the table of regions. */
export interface HeldColumns {
  readonly rows: readonly number[]
  readonly live: readonly number[]
  readonly cached: readonly number[]
  readonly free: readonly number[]
  readonly top: readonly number[]
  readonly other: readonly number[]
}

export interface ReportData {
  readonly tables: readonly ReportTable[]
  readonly held: HeldColumns
  readonly heaps: readonly HeapFigure[]
  readonly sizes: SizeColumns | null
}
