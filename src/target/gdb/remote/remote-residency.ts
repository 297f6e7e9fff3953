// Which bytes of a process behind a stub are in RAM: by smaps, so for whole mappings; pagemap is out of a stub's reach.
import { GapList, type PageRuns } from '../../../memory/page-runs.js'
import { parseSmaps } from '../../live/proc-smaps.js'
import type { MappingUse, ProcessMemoryTotals } from '../../target.js'
import type { RemoteFiles } from './remote-files.js'

/** Residency of one process at one moment; reads nothing before it is asked. */
export class RemoteResidency {
  readonly #pid: number
  readonly #files: RemoteFiles
  #entries: readonly MappingUse[] | null = null
  #status: string | null = null

  constructor(pid: number, files: RemoteFiles) {
    this.#pid = pid
    this.#files = files
  }

  /** The kernel's counts by mapping; empty where smaps cannot be read. */
  mappings(): readonly MappingUse[] {
    if (this.#entries === null) {
      this.#entries = parseSmaps(this.#files.text(`/proc/${this.#pid}/smaps`) ?? '')
      this.#status = this.#files.text(`/proc/${this.#pid}/status`)
    }
    return this.#entries
  }

  /** Null where a mapping of which only a part is in RAM is asked about in part. */
  bytes(start: bigint, end: bigint): number | null {
    let sum = 0
    for (const entry of this.#inside(start, end)) {
      const whole = entry.residentBytes + entry.hugetlbBytes
      const size = Number(entry.end - entry.start)
      if (start <= entry.start && end >= entry.end) sum += whole
      else if (whole === size) sum += Number(least(end, entry.end) - most(start, entry.start))
      else if (whole !== 0) return null
    }
    return this.mappings().length === 0 ? null : sum
  }

  /** Null where a mapping of which only a part is in RAM is among them. */
  pages(start: bigint, end: bigint): PageRuns | null {
    if (this.mappings().length === 0) return null
    const gaps = new GapList()
    let at = start
    for (const entry of this.#inside(start, end)) {
      const from = most(entry.start, start)
      const to = least(entry.end, end)
      if (from > at) gaps.add(Number(at), Number(from))
      const whole = entry.residentBytes + entry.hugetlbBytes
      if (whole === 0) gaps.add(Number(from), Number(to))
      else if (whole !== Number(entry.end - entry.start)) return null
      at = to
    }
    if (at < end) gaps.add(Number(at), Number(end))
    return gaps.runs(Number(start), Number(end))
  }

  /** Null where the stub gives no files. */
  totals(): ProcessMemoryTotals | null {
    if (this.mappings().length === 0 || this.#status === null) return null
    const bytes = (name: string): number | null => {
      const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(this.#status ?? '')
      return found ? Number(found[1]) * 1024 : null
    }
    return { rssBytes: bytes('VmRSS'), swapBytes: bytes('VmSwap') }
  }

  #inside(start: bigint, end: bigint): readonly MappingUse[] {
    const entries = this.mappings()
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (entries[middle]!.end <= start) low = middle + 1
      else high = middle
    }
    let last = low
    while (last < entries.length && entries[last]!.start < end) last++
    return entries.slice(low, last)
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
