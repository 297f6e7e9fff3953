// What can be opened in the variables view, and its rows.
import type { Address } from '../../../memory/address.js'
import { DapError } from '../errors.js'
import type { Work } from '../services.js'

/** Rows of a request that says no count: a client that does not page would else get a million. */
export const MOST_UNASKED_ROWS = 1000
const MOST_ROWS = 20_000

/** One line; `node` is what is inside of it. */
export interface VariableRow {
  readonly name: string
  readonly value: string
  readonly type?: string | null
  readonly address?: Address | null
  readonly evaluateName?: string | null
  readonly node?: VariableNode | null
}

export interface VariableNode {
  /** How many rows there are, where that is worth paging. */
  readonly indexed?: number
  named?(work: Work): Promise<readonly VariableRow[]> | readonly VariableRow[]
  /** Rows `from` … `from + count − 1`, at most. */
  page?(from: number, count: number, work: Work): Promise<readonly VariableRow[]> | readonly VariableRow[]
}

export interface Page {
  readonly filter: 'named' | 'indexed' | null
  readonly start: number
  /** Null: all. */
  readonly count: number | null
}

/** The rows that a request wants; a last one says what was left out. Throws DapError `tooMuch`. */
export async function rowsOf(node: VariableNode, page: Page, work: Work): Promise<readonly VariableRow[]> {
  const { filter, start, count } = page
  if (count !== null && count > MOST_ROWS)
    throw new DapError('tooMuch', { what: 'rows', most: String(MOST_ROWS) })
  const named = filter === 'indexed' ? [] : ((await node.named?.(work)) ?? [])
  // Where both kinds are wanted, named ones come first.
  const isPaged = filter !== null || node.named === undefined
  const shown =
    isPaged && filter !== 'named' ? named : named.slice(start, count === null ? undefined : start + count)
  if (filter === 'named' || !node.page) return shown
  const from = isPaged ? start : Math.max(0, start - named.length)
  const wanted = count === null ? MOST_UNASKED_ROWS : count - (isPaged ? 0 : shown.length)
  const rows = wanted > 0 ? await node.page(from, wanted, work) : []
  const left = (node.indexed ?? 0) - from - rows.length
  const isCut = count === null && rows.length === MOST_UNASKED_ROWS && left > 0
  return isCut
    ? [...shown, ...rows, { name: '…', value: `${left} more, by pages or in the console` }]
    : [...shown, ...rows]
}
