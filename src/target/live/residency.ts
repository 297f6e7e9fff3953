// Which bytes of a running process are in RAM: smaps for whole mappings, pagemap for parts of one.
import { closeSync, openSync, readSync } from 'node:fs'
import { GapList, type PageRuns } from '../../memory/page-runs.js'
import type { MappingUse, ProcessMemoryTotals } from '../target.js'
import { readMemoryTotals } from './memory-totals.js'
import { errnoOf, readTextOrNull } from './proc-file.js'
import { parseSmaps } from './proc-smaps.js'

const ENTRY_BYTES = 8
const BLOCK_ENTRIES = 128 * 1024
/** Bits of a pagemap entry (Documentation/admin-guide/mm/pagemap.rst), as bits of its upper 32-bit half. */
const PRESENT = 1 << 31
const FILE_OR_SHARED = 1 << 29
const EXCLUSIVE = 1 << 24

/** Pages of a range: surely in RAM, and present but perhaps only the shared page of zeros. */
interface PageCount {
  readonly certain: number
  readonly doubtful: number
}

/** Residency of one process at one moment; reads nothing before it is asked. */
export class Residency {
  readonly #pid: number
  readonly #pageBytes: number
  #entries: readonly MappingUse[] | null = null
  #totals: ProcessMemoryTotals | null = null
  readonly #wholes = new Map<MappingUse, PageCount | null>()

  constructor(pid: number, pageBytes: number) {
    this.#pid = pid
    this.#pageBytes = pageBytes
  }

  /**
   * Bytes of [start, end) in RAM, or null where neither smaps nor pagemap tells. Whole mappings count as in smaps
   * (huge pages of hugetlbfs included). In a part of a mapping, anonymous pages that other processes may share cannot
   * be told from the page of zeros; they count such that the parts of a mapping sum to its smaps figure.
   */
  bytes(start: bigint, end: bigint): number | null {
    const entries = this.#smaps()
    if (entries.length === 0) return this.#bytesOfPages(countPages(this.#pid, start, end, this.#pageBytes))
    let sum = 0
    for (let i = firstEndingAfter(entries, start); i < entries.length && entries[i]!.start < end; i++) {
      const entry = entries[i]!
      const part =
        start <= entry.start && end >= entry.end ? wholeBytes(entry) : this.#partOf(entry, start, end)
      if (part === null) return null
      sum += part
    }
    return sum
  }

  #partOf(entry: MappingUse, start: bigint, end: bigint): number | null {
    if (wholeBytes(entry) === 0) return 0
    if (wholeBytes(entry) === Number(entry.end - entry.start))
      return Number(least(end, entry.end) - most(start, entry.start))
    const whole = this.#whole(entry)
    const part = countPages(this.#pid, most(start, entry.start), least(end, entry.end), this.#pageBytes)
    if (whole === null || part === null) return null
    return (part.certain + Math.round(part.doubtful * this.#share(entry, whole))) * this.#pageBytes
  }

  // How many of a mapping's doubtful pages its smaps figure counts.
  #share(entry: MappingUse, whole: PageCount): number {
    const doubtfulInRam = wholeBytes(entry) / this.#pageBytes - whole.certain
    return whole.doubtful === 0 ? 0 : Math.min(1, Math.max(0, doubtfulInRam / whole.doubtful))
  }

  #whole(entry: MappingUse): PageCount | null {
    const known = this.#wholes.get(entry)
    if (known !== undefined) return known
    const counted = countPages(this.#pid, entry.start, entry.end, this.#pageBytes)
    this.#wholes.set(entry, counted)
    return counted
  }

  #bytesOfPages(count: PageCount | null): number | null {
    return count === null ? null : (count.certain + count.doubtful) * this.#pageBytes
  }

  /** The kernel's counts by mapping; empty where smaps cannot be read. */
  mappings(): readonly MappingUse[] {
    return this.#smaps()
  }

  /**
   * Pages of [start, end) in RAM; null where pagemap cannot be read. Where only some of a mapping's doubtful pages are in
   * RAM, all of them are taken for it if most are.
   */
  pages(start: bigint, end: bigint): PageRuns | null {
    const entries = this.#smaps()
    const gaps = new GapList()
    let at = start
    for (let i = firstEndingAfter(entries, start); i < entries.length && entries[i]!.start < end; i++) {
      const entry = entries[i]!
      const from = most(entry.start, start)
      const to = least(entry.end, end)
      if (from > at) gaps.add(Number(at), Number(from))
      if (!this.#gapsIn(entry, from, to, gaps)) return null
      at = to
    }
    if (at < end) gaps.add(Number(at), Number(end))
    return gaps.runs(Number(start), Number(end))
  }

  #gapsIn(entry: MappingUse, from: bigint, to: bigint, gaps: GapList): boolean {
    if (wholeBytes(entry) === Number(entry.end - entry.start)) return true
    if (wholeBytes(entry) === 0) {
      gaps.add(Number(from), Number(to))
      return true
    }
    const whole = this.#whole(entry)
    if (whole === null) return false
    const takeDoubtful = this.#share(entry, whole) >= 0.5
    return eachEntry(this.#pid, from, to, this.#pageBytes, (page, flags) => {
      const there = (flags & PRESENT) !== 0 && (takeDoubtful || (flags & (FILE_OR_SHARED | EXCLUSIVE)) !== 0)
      if (!there) gaps.add(page * this.#pageBytes, (page + 1) * this.#pageBytes)
    })
  }

  /** VmRSS and VmSwap of the moment at which smaps was read. */
  totals(): ProcessMemoryTotals {
    this.#smaps()
    return this.#totals!
  }

  #smaps(): readonly MappingUse[] {
    if (this.#entries === null) {
      this.#entries = parseSmaps(readTextOrNull(`/proc/${this.#pid}/smaps`) ?? '')
      this.#totals = readMemoryTotals(this.#pid)
    }
    return this.#entries
  }
}

/** Pages of [start, end) by /proc/PID/pagemap; null where it cannot be read. */
function countPages(pid: number, start: bigint, end: bigint, pageBytes: number): PageCount | null {
  let certain = 0
  let doubtful = 0
  const readable = eachEntry(pid, start, end, pageBytes, (_, flags) => {
    if ((flags & PRESENT) === 0) return
    if ((flags & (FILE_OR_SHARED | EXCLUSIVE)) !== 0) certain++
    else doubtful++
  })
  return readable ? { certain, doubtful } : null
}

// Upper half of each page's entry. False where pagemap cannot be read.
function eachEntry(
  pid: number,
  start: bigint,
  end: bigint,
  pageBytes: number,
  visit: (page: number, flags: number) => void,
): boolean {
  const last = Math.ceil(Number(end) / pageBytes)
  let fd: number | null = null
  try {
    fd = openSync(`/proc/${pid}/pagemap`, 'r')
    const first = Math.floor(Number(start) / pageBytes)
    const block = new Uint32Array(Math.min(BLOCK_ENTRIES, last - first) * 2)
    for (let at = first; at < last; ) {
      const wanted = Math.min(BLOCK_ENTRIES, last - at)
      const got = Math.floor(readSync(fd, block, 0, wanted * ENTRY_BYTES, at * ENTRY_BYTES) / ENTRY_BYTES)
      // Behind the end of the address space.
      if (got < 1) break
      for (let i = 0; i < got; i++) visit(at + i, block[2 * i + 1]!)
      at += got
    }
    return true
  } catch (error) {
    errnoOf(error)
    return false
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

// In RAM at all: hugetlbfs included.
function wholeBytes(entry: MappingUse): number {
  return entry.residentBytes + entry.hugetlbBytes
}

function firstEndingAfter(entries: readonly MappingUse[], at: bigint): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (entries[middle]!.end <= at) low = middle + 1
    else high = middle
  }
  return low
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
