// Residency from /proc/PID/smaps.
import type { Address } from '../../memory/address.js'
import { TargetError } from '../target.js'
import { parseMapsLine } from './proc-maps.js'

/** One mapping and its bytes in RAM: Rss plus huge pages of hugetlbfs, which the kernel does not count in Rss. */
export interface SmapsEntry {
  readonly start: Address
  readonly end: Address
  readonly residentBytes: number
}

const FIELD = /^(Rss|Shared_Hugetlb|Private_Hugetlb): +(\d+) kB$/

/** Mappings with their residency, by address. Throws a TargetError that names the line where a number has no mapping. */
export function parseSmaps(text: string): SmapsEntry[] {
  const entries: { start: Address; end: Address; residentBytes: number }[] = []
  let lineNumber = 0
  for (const line of text.split('\n')) {
    lineNumber++
    const field = FIELD.exec(line)
    if (field) {
      const entry = entries.at(-1)
      if (!entry)
        throw new TargetError(
          `line ${lineNumber} of smaps comes before any mapping`,
          'the text is cut at its beginning',
        )
      entry.residentBytes += Number(field[2]) * 1024
      continue
    }
    const region = parseMapsLine(line)
    if (region) entries.push({ start: region.start, end: region.end, residentBytes: 0 })
  }
  return entries
}
