// A pane's list: columns chosen by the width, a sort that is remembered, a cursor, and only the rows on the screen.
import type { Session } from '../../../session/session.js'
import { cell } from '../columns.js'
import type { Key } from '../keys.js'
import { moveInList, scrollTop } from '../list-motion.js'
import type { Paint } from '../paint.js'
import { bodySize, type ListState, type TuiState, withNotice } from '../tui-state.js'

/** The heading and the line about the row under the cursor. */
const FIXED_ROWS = 2

export interface Column<Item, Sort extends string> {
  readonly title: string
  /** Columns of the terminal; `rest` takes what the others leave, and comes last. */
  readonly width: number | 'rest'
  readonly align: 'left' | 'right'
  /** Columns of the terminal from which on it is shown. */
  readonly from: number
  readonly sort?: Sort
  /** Printable. */
  text(item: Item, state: TuiState): string
}

/** What an order compares; null (unknown) comes last whichever way. */
export interface Order<Item> {
  readonly value: (item: Item) => number | bigint | string | null
  /** The way it goes before it is turned round. */
  readonly first: 'smallest' | 'largest'
}

export interface ListDefinition<Item, Sort extends string> {
  readonly columns: readonly Column<Item, Sort>[]
  /** In the turn of the key `s`. */
  readonly orders: Readonly<Record<Sort, Order<Item>>>
  /** The same array as long as nothing changed: what was sorted is remembered by it. */
  items(session: Session): readonly Item[]
  list(state: TuiState): ListState<Sort>
  with(state: TuiState, list: ListState<Sort>): TuiState
  /** Printable, of the item under the cursor. */
  detail(item: Item, state: TuiState, session: Session): string
}

export interface SortedList<Item> {
  selected(state: TuiState, session: Session): Item | undefined
  /** The state after a motion, `s` or `S`; null when the list does not know the key. */
  onKey(state: TuiState, key: Key, session: Session): TuiState | null
  /** The cursor inside the list and on the screen. */
  settle(state: TuiState, session: Session): TuiState
  /** Heading, rows and detail line; empty when there are no items. */
  rows(state: TuiState, session: Session, paint: Paint): string[]
}

type Value = number | bigint | string | null

function compare(a: Value, b: Value): number {
  return a === b ? 0 : a! < b! ? -1 : 1
}

/** `items` in `order`, equal ones as they came. */
function sortItems<Item>(items: readonly Item[], order: Order<Item>, reversed: boolean): readonly Item[] {
  const sign = (order.first === 'smallest') === reversed ? -1 : 1
  return items
    .map((item) => ({ item, value: order.value(item) }))
    .sort((a, b) =>
      a.value === null || b.value === null
        ? Number(a.value === null) - Number(b.value === null)
        : sign * compare(a.value, b.value),
    )
    .map(({ item }) => item)
}

/** The behaviour that `definition` describes. */
export function sortedList<Item extends object, Sort extends string>(
  definition: ListDefinition<Item, Sort>,
): SortedList<Item> {
  const { columns, orders, items, list } = definition
  const sorts = Object.keys(orders) as Sort[]
  const sorted = new WeakMap<readonly Item[], Map<string, readonly Item[]>>()

  function ordered(state: TuiState, session: Session): readonly Item[] {
    const all = items(session)
    const { sort, reversed } = list(state)
    const known = sorted.get(all) ?? new Map<string, readonly Item[]>()
    sorted.set(all, known)
    const key = `${sort} ${reversed}`
    const now = known.get(key) ?? sortItems(all, orders[sort], reversed)
    known.set(key, now)
    return now
  }

  const page = (state: TuiState) => Math.max(1, bodySize(state).rows - FIXED_ROWS)

  function withCursor(state: TuiState, session: Session, cursor: number): TuiState {
    const count = items(session).length
    const at = Math.max(0, Math.min(count - 1, cursor))
    const now = list(state)
    return definition.with(state, { ...now, cursor: at, top: scrollTop(now.top, at, count, page(state)) })
  }

  /** The same item stays under the cursor. */
  function reordered(state: TuiState, session: Session, sort: Sort, reversed: boolean): TuiState {
    const item = ordered(state, session)[list(state).cursor]
    const next = definition.with(state, { ...list(state), sort, reversed })
    const at = item ? ordered(next, session).indexOf(item) : 0
    const way = (orders[sort].first === 'smallest') === reversed ? 'largest' : 'smallest'
    return withNotice(withCursor(next, session, at), 'note', `sorted by ${sort}, ${way} first`)
  }

  function widths(state: TuiState) {
    const width = state.size.columns
    const shown = columns.filter((column) => column.from <= width)
    const fixed = shown.reduce((sum, column) => sum + (column.width === 'rest' ? 0 : column.width) + 1, 0)
    return shown.map((column) => ({
      column,
      width: column.width === 'rest' ? Math.max(0, width - fixed - 1) : column.width,
    }))
  }

  function heading(state: TuiState): string {
    const { sort, reversed } = list(state)
    const arrow = (orders[sort].first === 'smallest') === reversed ? '▼' : '▲'
    const titles = widths(state).map(({ column, width }) =>
      cell(column.sort === sort ? `${column.title}${arrow}` : column.title, width, column.align),
    )
    return ` ${titles.join(' ')}`
  }

  return {
    selected: (state, session) => ordered(state, session)[list(state).cursor],

    onKey(state, key, session) {
      const { sort, reversed, cursor } = list(state)
      if (key === 'S') return reordered(state, session, sort, !reversed)
      if (key === 's')
        return reordered(state, session, sorts[(sorts.indexOf(sort) + 1) % sorts.length]!, false)
      const moved = moveInList(key, cursor, items(session).length, page(state))
      return moved === null ? null : withCursor(state, session, moved)
    },

    settle: (state, session) => withCursor(state, session, list(state).cursor),

    rows(state, session, paint) {
      const all = ordered(state, session)
      if (all.length === 0) return []
      const size = bodySize(state)
      const { cursor, top } = list(state)
      const cells = widths(state)
      const rows = all.slice(top, top + page(state)).map((item, index) => {
        const text = cells.map(({ column, width }) => cell(column.text(item, state), width, column.align))
        const row = cell(text.join(' '), size.columns - 1)
        return top + index === cursor ? paint.selected(`▸${row}`) : ` ${row}`
      })
      while (rows.length < page(state)) rows.push('')
      const place = `${cursor + 1}/${all.length}`
      const detail = cell(definition.detail(all[cursor]!, state, session), size.columns - place.length - 3)
      return [paint.title(heading(state)), ...rows, ` ${detail} ${paint.dim(place)}`].slice(0, size.rows)
    },
  }
}
