// Residency from /proc/PID/smaps.
import { type MappingUse, TargetError } from '../target.js'
import { parseMapsLine } from './proc-maps.js'

type Sums = { -readonly [K in keyof MappingUse]: MappingUse[K] }
type Count = 'residentBytes' | 'privateBytes' | 'swapBytes' | 'hugeBytes' | 'hugetlbBytes'

// Rss is the sum of the Private_ and Shared_ lines; the kernel counts hugetlbfs apart from it (fs/proc/task_mmu.c).
const COUNTS: Readonly<Record<string, Count>> = {
  Rss: 'residentBytes',
  Private_Clean: 'privateBytes',
  Private_Dirty: 'privateBytes',
  Swap: 'swapBytes',
  AnonHugePages: 'hugeBytes',
  Shared_Hugetlb: 'hugetlbBytes',
  Private_Hugetlb: 'hugetlbBytes',
}
const FIELD = /^([A-Z][A-Za-z_]+): +(\d+) kB$/
const LOCKED = /^VmFlags:.* lo( |$)/

/** Mappings with their use, by address. Throws a TargetError that names the line where a number has no mapping. */
export function parseSmaps(text: string): MappingUse[] {
  const entries: Sums[] = []
  let lineNumber = 0
  for (const line of text.split('\n')) {
    lineNumber++
    const field = FIELD.exec(line)
    if (field) {
      const count = COUNTS[field[1]!]
      if (!count) continue
      const entry = entries.at(-1)
      if (!entry)
        throw new TargetError(
          `line ${lineNumber} of smaps comes before any mapping`,
          'the text is cut at its beginning',
        )
      entry[count] += Number(field[2]) * 1024
      continue
    }
    if (line.startsWith('VmFlags:')) {
      const entry = entries.at(-1)
      if (entry) entry.locked = LOCKED.test(line)
      continue
    }
    const region = parseMapsLine(line)
    if (region) entries.push(unused(region))
  }
  return entries
}

function unused({ start, end }: Pick<MappingUse, 'start' | 'end'>): Sums {
  const counts = { residentBytes: 0, privateBytes: 0, swapBytes: 0, hugeBytes: 0, hugetlbBytes: 0 }
  return { start, end, ...counts, locked: false }
}
