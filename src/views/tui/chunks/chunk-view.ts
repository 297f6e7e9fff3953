// The rows of a table of chunks that a filter lets through, in an order: made in steps, for millions of rows.

import type { ChunkTable } from '../../../session/chunk-table.js'
import { CHUNK_STATES } from '../../../session/session.js'
import { type ChunkListFilter, type ChunkSort, STATE_GROUPS } from './chunks-state.js'

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
const DIGIT = 1 << 16

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
  const states = STATE_GROUPS[filter.group] ?? null
  const wanted = Uint8Array.from(CHUNK_STATES, (state) => (states === null || states.includes(state) ? 1 : 0))
  const { minBytes, maxBytes } = filter
  const found = new Uint32Array(table.count)
  let count = 0
  let bytes = 0
  for (const [index, run] of table.runs.entries()) {
    if (filter.arena !== null && run.arena !== filter.arena) continue
    const end = table.runs[index + 1]?.first ?? table.count
    for (let row = run.first; row < end; row++) {
      if (((row - run.first) & (STEP_ROWS - 1)) === STEP_ROWS - 1) yield undefined
      if (!wanted[table.state(row)]) continue
      const size = table.size(row)
      if ((minBytes !== null && size < minBytes) || (maxBytes !== null && size > maxBytes)) continue
      found[count++] = row
      bytes += size
    }
    yield undefined
  }
  if (sort === 'place') {
    const rows = count === table.count ? null : found.slice(0, count)
    return { name, table, rows, count, bytes }
  }
  const rows = yield* sortedBySize(table, count === table.count ? found : found.slice(0, count))
  return { name, table, rows, count, bytes }
}

/** Smallest first, equal sizes in their order: two passes over 16 bits each. */
function* sortedBySize(table: ChunkTable, rows: Uint32Array): Generator<undefined, Uint32Array> {
  let from = rows
  let to = new Uint32Array(rows.length)
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(DIGIT + 1)
    for (let i = 0; i < from.length; i++) {
      if ((i & (STEP_ROWS - 1)) === 0) yield undefined
      starts[((table.sizeUnits(from[i]!) >>> shift) & (DIGIT - 1)) + 1]! += 1
    }
    for (let digit = 0, sum = 0; digit <= DIGIT; digit++) {
      sum += starts[digit]!
      starts[digit] = sum
    }
    for (let i = 0; i < from.length; i++) {
      if ((i & (STEP_ROWS - 1)) === 0) yield undefined
      const digit = (table.sizeUnits(from[i]!) >>> shift) & (DIGIT - 1)
      to[starts[digit]!++] = from[i]!
    }
    const done: Uint32Array = to
    to = from as Uint32Array<ArrayBuffer>
    from = done
  }
  // Sizes beyond 32 GiB compare equal above: they are few, and last.
  const large = from.findIndex((row) => table.sizeUnits(row) === 0xffff_ffff)
  if (large >= 0) from.subarray(large).sort((a, b) => table.size(a) - table.size(b) || a - b)
  return from
}
