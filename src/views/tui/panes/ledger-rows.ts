// The ledger in the overview: every resident byte in one line, and what is left over.
import { bar } from '../../../format/bars.js'
import { bytesText, percentOf, percentText } from '../../../format/sizes.js'
import type { Ledger } from '../../../maps/ledger.js'
import { cell } from '../columns.js'
import type { Paint } from '../paint.js'

const NAME_WIDTH = 24
const SIZE_WIDTH = 10
const SHARE_WIDTH = 8

/** No rows where residency is unknown. */
export function ledgerRows(ledger: Ledger | null, width: number, paint: Paint): string[] {
  if (!ledger) return []
  const { totalBytes, basis, swapBytes } = ledger
  const text = (name: string, bytes: number) =>
    `   ${cell(name, NAME_WIDTH)} ${cell(bytesText(bytes), SIZE_WIDTH, 'right')}` +
    ` ${cell(percentText(percentOf(bytes, totalBytes)), SHARE_WIDTH, 'right')}  `
  const row = (name: string, bytes: number) => {
    const start = text(name, bytes)
    return (
      start + paint.bar(bar(totalBytes === 0 ? 0 : bytes / totalBytes, Math.max(0, width - start.length)))
    )
  }
  return [
    '',
    paint.title(basis === 'rss' ? ' Where the resident memory is' : ' Where the saved memory is'),
    ...ledger.entries.map((entry) => row(entry.line, entry.residentBytes)),
    text('unaccounted', ledger.unaccountedBytes),
    text(basis === 'rss' ? 'RSS' : 'saved', totalBytes),
    ...(swapBytes
      ? [
          `   ${cell('swapped out, not in RSS', NAME_WIDTH)} ${cell(bytesText(swapBytes), SIZE_WIDTH, 'right')}`,
        ]
      : []),
  ]
}
