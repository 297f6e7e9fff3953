// Which rows of a table are shown, and in which order.
import { cellText, isNumeric } from '../../report/cell-text.js'
import type { Column, ReportTable } from '../../report/report-data.js'

export type Direction = 'ascending' | 'descending'

/** Rows in the order of a column; unknown ones last, equal ones as they were. */
export function sortedRows(rows: Uint32Array, column: Column, direction: Direction): Uint32Array {
  const sign = direction === 'ascending' ? 1 : -1
  const compare = comparing(column)
  return rows.slice().sort((a, b) => {
    const nothing = Number(isNothing(column, a)) - Number(isNothing(column, b))
    return nothing || sign * compare(a, b) || a - b
  })
}

function isNothing(column: Column, row: number): boolean {
  return column.kind === 'word' ? column.values[row]! < 0 : column.values[row] === null
}

function comparing(column: Column): (a: number, b: number) => number {
  if (column.kind === 'word') {
    const sorted = column.words.map((_, at) => at).sort((a, b) => byText(column.words[a]!, column.words[b]!))
    const rank = new Map(sorted.map((word, at) => [word, at]))
    return (a, b) => (rank.get(column.values[a]!) ?? 0) - (rank.get(column.values[b]!) ?? 0)
  }
  const values = column.values as readonly (number | string | null)[]
  if (isNumeric(column)) return (a, b) => Number(values[a]) - Number(values[b])
  if (column.kind === 'address') {
    return (a, b) => byLength(values[a] as string | null, values[b] as string | null)
  }
  return (a, b) => byText(String(values[a]), String(values[b]))
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

// Hex digits without leading zeros: the longer is the larger.
function byLength(a: string | null, b: string | null): number {
  if (a === null || b === null) return 0
  return a.length - b.length || byText(a, b)
}

type Test = (row: number) => boolean

/**
 * Rows that `text` names: every word of it is in some text of the row, or is one of its numbers; `>1M` and `<4K` are of
 * the first column of bytes.
 */
export function filteredRows(table: ReportTable, text: string): Uint32Array {
  const tests = text
    .trim()
    .toLowerCase()
    .split(/\s+/)
    .filter((term) => term !== '')
    .map((term) => testOf(table, term))
  const rows = new Uint32Array(table.rows)
  let count = 0
  for (let row = 0; row < table.rows; row++) if (tests.every((test) => test(row))) rows[count++] = row
  return rows.slice(0, count)
}

const SIZE = /^([<>])(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/

function testOf(table: ReportTable, term: string): Test {
  const columns = Object.values(table.columns).filter(({ hidden }) => !hidden)
  const size = SIZE.exec(term)
  const bytes = columns.find(({ kind }) => kind === 'bytes')
  if (size && bytes) {
    const limit = Number(size[2]) * 1024 ** ' kmgt'.indexOf(size[3] || ' ')
    const values = bytes.values as readonly (number | null)[]
    return (row) => {
      const value = values[row] ?? null
      return value !== null && (size[1] === '>' ? value > limit : value < limit)
    }
  }
  const tests = columns.flatMap((column): Test[] => {
    if (column.kind === 'word') {
      const hit = column.words.map((word) => word.toLowerCase().includes(term))
      return [(row) => hit[column.values[row]!] ?? false]
    }
    if (column.kind === 'address' || column.kind === 'text') {
      const wanted = column.kind === 'address' ? term.replace(/^0x/, '') : term
      return wanted === '' ? [] : [(row) => column.values[row]?.toLowerCase().includes(wanted) ?? false]
    }
    return column.kind === 'number' ? [(row) => cellText(column, row) === term] : []
  })
  return (row) => tests.some((test) => test(row))
}
