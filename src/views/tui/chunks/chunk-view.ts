// The rows of a table of chunks that a filter lets through, in an order: made in steps, for millions of rows.

import { type ChunkTable, LARGE } from '../../../session/chunk-table.js'
import { CHUNK_STATES } from '../../../session/session.js'
import { type ChunkListFilter, type ChunkSort, STATE_GROUPS } from './chunk-filter.js'

/** `rows[i]` is the table's row at index i; null: index and row are the same. */
export interface ChunkView {
  readonly name: string
  readonly table: ChunkTable
  readonly rows: Uint32Array | null
  readonly count: number
  /** Of all chunks in it. */
  readonly bytes: number
}

const STEP_ROWS = 1 << 17

/** The table's row at `index` of the view. */
export function rowAt({ rows, count }: ChunkView, index: number, reversed: boolean): number {
  const at = reversed ? count - 1 - index : index
  return rows ? rows[at]! : at
}

/** The index of the chunk that holds `at`; null when it is not in the view. */
export function indexHolding(view: ChunkView, at: bigint, reversed: boolean): number | null {
  const row = view.table.rowHolding(at)
  const found = row === null || row >= view.table.count ? -1 : view.rows ? view.rows.indexOf(row) : row
  if (found < 0 || found >= view.count) return null
  return reversed ? view.count - 1 - found : found
}

/** Makes the view of all rows of `table`; yields about every 2¹⁷ rows. */
export function* chunkView(
  name: string,
  table: ChunkTable,
  filter: ChunkListFilter,
  sort: ChunkSort,
): Generator<undefined, ChunkView> {
  // Counted first, so that only the rows themselves take room: sizes decide where a row goes.
  const starts = new Uint32Array(sort === 'size' ? LARGE + 2 : 2)
  const bucketOf = sort === 'size' ? (row: number) => table.sizeUnits(row) : () => 0
  let count = 0
  let bytes = 0
  yield* matching(table, filter, (row) => {
    starts[bucketOf(row) + 1]! += 1
    count++
    bytes += table.size(row)
  })
  if (sort === 'place' && count === table.count) return { name, table, rows: null, count, bytes }
  for (let bucket = 1; bucket < starts.length; bucket++)
    starts[bucket] = starts[bucket]! + starts[bucket - 1]!
  const rows = new Uint32Array(count)
  const large = starts[starts.length - 2]!
  yield* matching(table, filter, (row) => {
    const bucket = bucketOf(row)
    rows[starts[bucket]!] = row
    starts[bucket]! += 1
  })
  if (sort === 'size') rows.subarray(large).sort((a, b) => table.size(a) - table.size(b) || a - b)
  return { name, table, rows, count, bytes }
}

/** Calls `found` with every row that the filter lets through, in their order. */
function* matching(
  table: ChunkTable,
  filter: ChunkListFilter,
  found: (row: number) => void,
): Generator<undefined, void> {
  const states = STATE_GROUPS[filter.group] ?? null
  const wanted = Uint8Array.from(CHUNK_STATES, (state) => (states === null || states.includes(state) ? 1 : 0))
  const minBytes = filter.minBytes ?? 0
  const maxBytes = filter.maxBytes ?? Number.POSITIVE_INFINITY
  for (const [index, run] of table.runs.entries()) {
    if (filter.arena !== null && run.arena !== filter.arena) continue
    const end = table.runs[index + 1]?.first ?? table.count
    for (let row = run.first; row < end; row++) {
      if (((row - run.first) & (STEP_ROWS - 1)) === STEP_ROWS - 1) yield undefined
      if (!wanted[table.state(row)]) continue
      const size = table.size(row)
      if (size >= minBytes && size <= maxBytes) found(row)
    }
    yield undefined
  }
}
