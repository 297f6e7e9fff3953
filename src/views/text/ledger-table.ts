// The ledger as a table: every resident byte in one line, and what is left over.
import { bar } from '../../format/bars.js'
import { bytesText, countText, percentOf, percentText } from '../../format/sizes.js'
import type { Ledger } from '../../maps/ledger.js'
import { plainTable } from './plain-table.js'

const BAR_CELLS = 24

/** Ends without a newline. */
export function ledgerTable(ledger: Ledger): string {
  const { totalBytes } = ledger
  const swaps = ledger.entries.some(({ swapBytes }) => (swapBytes ?? 0) > 0)
  const line = (name: string, bytes: number, swapBytes: number | null, drawn: boolean) => [
    `   ${name}`,
    bytesText(bytes),
    countText(bytes),
    percentText(percentOf(bytes, totalBytes)),
    ...(swaps ? [swapBytes === 0 ? '' : bytesText(swapBytes)] : []),
    drawn ? bar(totalBytes === 0 ? 0 : bytes / totalBytes, BAR_CELLS) : '',
  ]
  const title = ledger.basis === 'rss' ? 'Where the resident memory is' : 'Where the saved memory is'
  const table = plainTable(
    [
      { title: ` ${title}`, align: 'left' },
      { title: '', align: 'right' },
      { title: 'bytes', align: 'right' },
      { title: 'share', align: 'right' },
      ...(swaps ? [{ title: 'swap', align: 'right' as const }] : []),
      { title: '', align: 'left' },
    ],
    [
      ...ledger.entries.map((entry) => line(entry.line, entry.residentBytes, entry.swapBytes, true)),
      line('unaccounted', ledger.unaccountedBytes, 0, false),
      line(ledger.basis === 'rss' ? 'RSS' : 'saved', totalBytes, 0, false),
    ],
  )
  return [table, ...besides(ledger)].join('\n')
}

// What RSS does not count, and what part of it is huge pages: only where there is any.
function besides({ swapBytes, hugeBytes, hugetlbBytes }: Ledger): string[] {
  const parts = [
    ...(swapBytes ? [`swapped out ${bytesText(swapBytes)} (${countText(swapBytes)} bytes)`] : []),
    ...(hugeBytes ? [`of RSS in transparent huge pages ${bytesText(hugeBytes)}`] : []),
    ...(hugetlbBytes ? [`huge pages of hugetlbfs, not in RSS, ${bytesText(hugetlbBytes)}`] : []),
  ]
  return parts.length > 0 ? [`   besides: ${parts.join(' · ')}`] : []
}
