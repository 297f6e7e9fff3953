// Where the address space goes, as a table.

import { bar } from '../../format/bars.js'
import { printable } from '../../format/printable.js'
import { bytesText, countText } from '../../format/sizes.js'
import { type CategorySum, RESERVATIONS } from '../../maps/categories.js'
import { plainTable } from './plain-table.js'

const BAR_CELLS = 30

/** A row of any grouping of the address space. */
export interface MapsRow {
  readonly key: string
  readonly mappings: number
  readonly virtualBytes: number
  readonly residentBytes: number | null
  /** No memory is behind it: its bar is drawn hollow. */
  readonly hollow?: boolean
}

/** The categories with their sum; the resident column only where something is known of it. */
export function mapsTable(categories: readonly CategorySum[]): string {
  return groupedTable(
    'Where the address space goes',
    categories.map((sum) => ({ ...sum, key: sum.category, hollow: RESERVATIONS.has(sum.category) })),
  )
}

/** Rows as given, a line for the sum at the end. */
export function groupedTable(title: string, rows: readonly MapsRow[]): string {
  const resident = rows.some((row) => row.residentBytes !== null)
  const measure = (row: MapsRow) => (resident ? row.residentBytes : row.virtualBytes)
  const largest = rows.reduce((most, row) => Math.max(most, measure(row) ?? 0), 0)
  const sum: MapsRow = {
    key: 'all',
    mappings: rows.reduce((total, row) => total + row.mappings, 0),
    virtualBytes: rows.reduce((total, row) => total + row.virtualBytes, 0),
    residentBytes: rows.reduce<number | null>(
      (total, row) => (total === null || row.residentBytes === null ? null : total + row.residentBytes),
      0,
    ),
  }
  const cells = (row: MapsRow, line: string) => [
    `   ${printable(row.key)}`,
    countText(row.mappings),
    bytesText(row.virtualBytes),
    ...(resident ? [bytesText(row.residentBytes)] : []),
    line,
  ]
  return plainTable(
    [
      { title: ` ${title}`, align: 'left' },
      { title: 'mappings', align: 'right' },
      { title: 'virtual', align: 'right' },
      ...(resident ? [{ title: 'resident', align: 'right' as const }] : []),
      { title: '', align: 'left' },
    ],
    [
      ...rows.map((row) => cells(row, barOf(row, (measure(row) ?? 0) / Math.max(1, largest)))),
      cells(sum, ''),
    ],
  )
}

function barOf(row: MapsRow, share: number): string {
  const drawn = bar(share, BAR_CELLS)
  return row.hollow ? '░'.repeat(drawn.length) : drawn
}
