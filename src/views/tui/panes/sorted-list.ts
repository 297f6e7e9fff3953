// A pane's list: columns chosen by the width, a sort and a filter that are remembered, and only the rows on the screen.
import { printable } from '../../../format/printable.js'
import type { Report } from '../../../report/report.js'
import type { Session } from '../../../session/session.js'
import { cell, widthOf } from '../columns.js'
import type { Key } from '../keys.js'
import { moveInList, scrollTop } from '../list-motion.js'
import type { Paint } from '../paint.js'
import { bodySize, type Copyable, type ListState, type TuiState, withNotice } from '../tui-state.js'

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
  /** Printable; in `width` columns at most where it matters. */
  text(item: Item, state: TuiState, width: number): string
  /** Colours the cell, which keeps its width. */
  style?(item: Item, cell: string, paint: Paint): string
  /** What is compared with the report before a refresh; a mark behind the cell tells the way it went. */
  value?(item: Item): number | null
}

/** What an order compares; null (unknown) comes last whichever way. */
export interface Order<Item> {
  readonly value: (item: Item) => number | bigint | string | null
  /** The way it goes before it is turned round. */
  readonly first: 'smallest' | 'largest'
  /** In the notice, where the name of the sort is not what the column says. */
  readonly name?: string
}

export interface ListDefinition<Item, Sort extends string> {
  readonly columns: readonly Column<Item, Sort>[]
  /** In the turn of the key `s`. */
  readonly orders: Readonly<Record<Sort, Order<Item>>>
  /** The same array as long as nothing changed: what was sorted is remembered by it. */
  items(session: Session, state: TuiState): readonly Item[]
  list(state: TuiState): ListState<Sort>
  with(state: TuiState, list: ListState<Sort>): TuiState
  /** Tells an item from the others, also after a refresh. */
  key(item: Item): string
  /** Hexadecimal, for the clipboard; null when the item has none. */
  address(item: Item): string | null
  /** Printable, of the item under the cursor. */
  detail(item: Item, state: TuiState, session: Session): string
  /** The same item in the report before a refresh; absent: changes are not marked. */
  earlier?(item: Item, before: Report): Item | undefined
}

export interface SortedList<Item, Sort extends string> {
  selected(state: TuiState, session: Session): Item | undefined
  /** The state after a motion, `s` or `S`; null when the list does not know the key. */
  onKey(state: TuiState, key: Key, session: Session): TuiState | null
  /** A heading sorts, a row gets the cursor; `entered` when the row had it already. */
  onClick(state: TuiState, row: number, column: number, session: Session): TuiState | 'entered'
  onFilter(state: TuiState, text: string, session: Session): TuiState
  filterOf(state: TuiState): string
  /** The cursor inside the list and on the screen, on the same item as before. */
  settle(state: TuiState, session: Session): TuiState
  /** In this order without a filter, with the cursor on the first item that `wanted` names, else on the first. */
  show(
    state: TuiState,
    session: Session,
    order: Partial<Pick<ListState<Sort>, 'sort' | 'reversed'>>,
    wanted?: (item: Item) => boolean,
  ): TuiState
  /** Heading, rows and detail line; empty when there are no items. */
  rows(state: TuiState, session: Session, paint: Paint): string[]
  copyable(state: TuiState, session: Session): Copyable
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
): SortedList<Item, Sort> {
  const { columns, orders, items, list } = definition
  const sorts = Object.keys(orders) as Sort[]
  const remembered = new WeakMap<readonly Item[], { readonly by: string; readonly rows: readonly Item[] }>()

  function ordered(state: TuiState, session: Session): readonly Item[] {
    const all = items(session, state)
    const { sort, reversed, filter } = list(state)
    const by = `${sort} ${reversed} ${filter}`
    const known = remembered.get(all)
    if (known?.by === by) return known.rows
    const wanted = filter.toLowerCase()
    const holds = (item: Item) =>
      columns.some((column) => column.text(item, state, 1000).toLowerCase().includes(wanted))
    const rows = sortItems(wanted === '' ? all : all.filter(holds), orders[sort], reversed)
    remembered.set(all, { by, rows })
    return rows
  }

  const page = (state: TuiState) => Math.max(1, bodySize(state).rows - FIXED_ROWS)

  function withCursor(state: TuiState, session: Session, cursor: number): TuiState {
    const all = ordered(state, session)
    const at = Math.max(0, Math.min(all.length - 1, cursor))
    const now = list(state)
    const key = all[at] ? definition.key(all[at]) : now.key
    return definition.with(state, {
      ...now,
      key,
      cursor: at,
      top: scrollTop(now.top, at, all.length, page(state)),
    })
  }

  /** The cursor on the item that had it, wherever that is now. */
  function withKey(state: TuiState, session: Session): TuiState {
    const all = ordered(state, session)
    const { key, cursor } = list(state)
    const here = all[cursor]
    if (key === null || (here && definition.key(here) === key)) return withCursor(state, session, cursor)
    const at = all.findIndex((item) => definition.key(item) === key)
    return withCursor(state, session, at < 0 ? cursor : at)
  }

  function reordered(state: TuiState, session: Session, sort: Sort, reversed: boolean): TuiState {
    const item = ordered(state, session)[list(state).cursor]
    const next = definition.with(state, {
      ...list(state),
      sort,
      reversed,
      key: item ? definition.key(item) : null,
    })
    const order: Order<Item> = orders[sort]
    const way = (order.first === 'smallest') === reversed ? 'largest' : 'smallest'
    return withNotice(withKey(next, session), 'note', `sorted by ${order.name ?? sort}, ${way} first`)
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
    const { sort, reversed, filter } = list(state)
    const arrow = (orders[sort].first === 'smallest') === reversed ? '▼' : '▲'
    const titles = widths(state).map(({ column, width }) =>
      cell(column.sort === sort ? `${column.title}${arrow}` : column.title, width, column.align),
    )
    const text = ` ${titles.join(' ')}`
    return filter === '' ? text : cell(text, state.size.columns)
  }

  function changeMark(column: Column<Item, Sort>, item: Item, earlier: Item | undefined): string {
    const now = column.value?.(item) ?? null
    const then = earlier ? (column.value?.(earlier) ?? null) : null
    return now === null || then === null || now === then ? ' ' : now > then ? '▴' : '▾'
  }

  return {
    selected: (state, session) => ordered(state, session)[list(state).cursor],

    onKey(state, key, session) {
      const { sort, reversed, cursor } = list(state)
      if (key === 'S') return reordered(state, session, sort, !reversed)
      if (key === 's')
        return reordered(state, session, sorts[(sorts.indexOf(sort) + 1) % sorts.length]!, false)
      const moved = moveInList(key, cursor, ordered(state, session).length, page(state))
      return moved === null ? null : withCursor(state, session, moved)
    },

    onClick(state, row, column, session) {
      const now = list(state)
      if (row === 0) {
        let left = 1
        for (const { column: each, width } of widths(state)) {
          if (column < left + width && each.sort)
            return reordered(state, session, each.sort, each.sort === now.sort && !now.reversed)
          left += width + 1
        }
        return state
      }
      const at = now.top + row - 1
      if (row > page(state) || at >= ordered(state, session).length) return state
      return at === now.cursor ? 'entered' : withCursor(state, session, at)
    },

    onFilter: (state, filter, session) =>
      withKey(definition.with(state, { ...list(state), filter }), session),
    filterOf: (state) => list(state).filter,

    settle: withKey,

    show(state, session, order, wanted) {
      const next = definition.with(state, { ...list(state), ...order, filter: '', top: 0 })
      const at = wanted ? ordered(next, session).findIndex(wanted) : 0
      return withCursor(next, session, at)
    },

    rows(state, session, paint) {
      const all = ordered(state, session)
      const { cursor, top, filter } = list(state)
      const size = bodySize(state)
      if (all.length === 0)
        return filter === '' ? [] : ['', ` no row holds "${printable(filter)}" · / changes it`]
      const cells = widths(state)
      const rows = all.slice(top, top + page(state)).map((item, index) => {
        const earlier = state.before ? definition.earlier?.(item, state.before) : undefined
        const isSelected = top + index === cursor
        let text = ''
        let used = 1
        for (const { column, width } of cells) {
          const room = Math.min(width, size.columns - used)
          if (room <= 0) break
          const shown = cell(column.text(item, state, room), room, column.align)
          text += isSelected || !column.style ? shown : column.style(item, shown, paint)
          used += room
          if (used >= size.columns) break
          const mark = changeMark(column, item, earlier)
          text += isSelected || mark === ' ' ? mark : paint.changed(mark)
          used++
        }
        const row = text + ' '.repeat(Math.max(0, size.columns - used))
        return isSelected ? paint.selected(`▸${row}`) : ` ${row.trimEnd()}`
      })
      while (rows.length < page(state)) rows.push('')
      const filtered = filter === '' ? '' : `/${printable(filter)}/ `
      const place = `${filtered}${cursor + 1}/${all.length}`
      const detail = cell(definition.detail(all[cursor]!, state, session), size.columns - widthOf(place) - 3)
      return [paint.title(heading(state)), ...rows, ` ${detail} ${paint.dim(place)}`].slice(0, size.rows)
    },

    copyable(state, session) {
      const item = ordered(state, session)[list(state).cursor]
      if (!item) return { address: null, row: null }
      const row = columns.map((column) => column.text(item, state, 1000)).join('\t')
      return { address: definition.address(item), row }
    },
  }
}
