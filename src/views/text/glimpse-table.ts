// The first table: arenas by their headers, while their chunks are still being read.
import { bytesText, countOf, countText } from '../../format/sizes.js'
import { plainTable } from './plain-table.js'

/** What an arena's header says; null members could not be read. `address` with 0x. */
export interface GlimpseRow {
  readonly index: number
  readonly address: string
  readonly systemBytes: number | null
  readonly attachedThreads: number | null
}

/** The largest `most` arenas under a line that says what the table is; ends without a newline. */
export function glimpseTable(arenas: readonly GlimpseRow[], most: number): string {
  const sum = arenas.reduce((all, { systemBytes }) => all + (systemBytes ?? 0), 0)
  const shown = [...arenas].sort((a, b) => (b.systemBytes ?? 0) - (a.systemBytes ?? 0)).slice(0, most)
  const table = plainTable(
    [
      { title: ' largest arenas', align: 'left' },
      { title: 'system', align: 'right' },
      { title: 'threads', align: 'right' },
    ],
    shown.map(({ index, address, systemBytes, attachedThreads }) => [
      ` ${index === 0 ? 'main' : String(index).padEnd(4)}  ${address}`,
      bytesText(systemBytes),
      countText(attachedThreads),
    ]),
  )
  const many = `${countOf(arenas.length, 'arena')} ${arenas.length === 1 ? 'holds' : 'hold'}`
  return ` ${many} ${bytesText(sum)}, by their headers; how much of it is in use is being read\n${table}`
}
