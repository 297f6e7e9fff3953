// A cell of a report's table as text; the same in the file and in the script that draws rows.
import { bytesText, countText, percentText } from '../../../format/sizes.js'
import type { Column } from './report-data.js'

/** What is shown. */
export function cellText(column: Column, row: number): string {
  if (column.kind === 'word') return column.words[column.values[row]!] ?? '—'
  const value = column.values[row] ?? null
  switch (column.kind) {
    case 'bytes':
      return bytesText(value as number | null)
    case 'count':
      return countText(value as number | null)
    case 'percent':
      return percentText(value as number | null)
    case 'address':
      return value === null ? '—' : `0x${value}`
    default:
      return value === null ? '—' : String(value)
  }
}

/** What a pointer that rests on the cell sees: exact bytes, the whole of a text that may be cut. */
export function cellHint(column: Column, row: number): string | null {
  if (column.kind === 'bytes') {
    const value = column.values[row] ?? null
    return value === null ? null : `${countText(value)} bytes`
  }
  return column.kind === 'word' || column.kind === 'text' ? cellText(column, row) : null
}

export function isNumeric({ kind }: Column): boolean {
  return kind === 'bytes' || kind === 'count' || kind === 'percent' || kind === 'number'
}
