// Which pages a core holds data for: the segments' places in the file, without the file's holes.
import { GapList, type PageRuns } from '../../memory/page-runs.js'
import type { RunTable } from './run-table.js'
import type { Segments } from './segments.js'

/**
 * Pages of [start, end), keys of addresses, that the core file holds. A segment that was not to be saved counts as a
 * gap; null where a part should have been saved and is cut off.
 */
export function savedPages(segments: Segments, data: RunTable, start: number, end: number): PageRuns | null {
  const { ranges, promised, saved } = segments
  const gaps = new GapList()
  let at = start
  const skipTo = (to: number) => {
    if (to > at) gaps.add(at, to)
    at = Math.max(at, to)
  }
  for (let i = ranges.firstEndingAfter(start); i < ranges.count && ranges.starts[i]! < end; i++) {
    const from = Math.max(start, ranges.starts[i]!)
    const to = Math.min(end, ranges.starts[i]! + saved[i]!)
    if (saved[i]! < promised[i]! && end > ranges.starts[i]! + saved[i]!) return null
    skipTo(from)
    const shift = ranges.positions[i]! - ranges.starts[i]!
    for (let d = data.firstEndingAfter(from + shift); d < data.count; d++) {
      const dataStart = data.starts[d]! - shift
      if (dataStart >= to) break
      skipTo(Math.max(from, dataStart))
      at = Math.min(to, data.ends[d]! - shift)
    }
  }
  skipTo(end)
  return gaps.runs(start, end)
}
