// Which bytes of a running process are in RAM: smaps for whole mappings, pagemap for parts of one.
import { closeSync, openSync, readSync } from 'node:fs'
import { errnoOf, readTextOrNull } from './proc-file.js'
import { parseSmaps, type SmapsEntry } from './proc-smaps.js'

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
  #entries: readonly SmapsEntry[] | null = null
  readonly #wholes = new Map<SmapsEntry, PageCount | null>()

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
        start <= entry.start && end >= entry.end ? entry.residentBytes : this.#partOf(entry, start, end)
      if (part === null) return null
      sum += part
    }
    return sum
  }

  #partOf(entry: SmapsEntry, start: bigint, end: bigint): number | null {
    if (entry.residentBytes === 0) return 0
    if (entry.residentBytes === Number(entry.end - entry.start))
      return Number(least(end, entry.end) - most(start, entry.start))
    const whole = this.#whole(entry)
    const part = countPages(this.#pid, most(start, entry.start), least(end, entry.end), this.#pageBytes)
    if (whole === null || part === null) return null
    const doubtfulInRam = entry.residentBytes / this.#pageBytes - whole.certain
    const share = whole.doubtful === 0 ? 0 : Math.min(1, Math.max(0, doubtfulInRam / whole.doubtful))
    return (part.certain + Math.round(part.doubtful * share)) * this.#pageBytes
  }

  #whole(entry: SmapsEntry): PageCount | null {
    const known = this.#wholes.get(entry)
    if (known !== undefined) return known
    const counted = countPages(this.#pid, entry.start, entry.end, this.#pageBytes)
    this.#wholes.set(entry, counted)
    return counted
  }

  #bytesOfPages(count: PageCount | null): number | null {
    return count === null ? null : (count.certain + count.doubtful) * this.#pageBytes
  }

  #smaps(): readonly SmapsEntry[] {
    this.#entries ??= parseSmaps(readTextOrNull(`/proc/${this.#pid}/smaps`) ?? '')
    return this.#entries
  }
}

/** Pages of [start, end) by /proc/PID/pagemap; null where it cannot be read. */
function countPages(pid: number, start: bigint, end: bigint, pageBytes: number): PageCount | null {
  const page = BigInt(pageBytes)
  const last = (end + page - 1n) / page
  let certain = 0
  let doubtful = 0
  let fd: number | null = null
  try {
    fd = openSync(`/proc/${pid}/pagemap`, 'r')
    const block = new Uint32Array(BLOCK_ENTRIES * 2)
    for (let at = start / page; at < last; ) {
      const wanted = Number(least(BigInt(BLOCK_ENTRIES), last - at))
      const got = readSync(fd, block, 0, wanted * ENTRY_BYTES, at * BigInt(ENTRY_BYTES)) / ENTRY_BYTES
      if (got < 1) break
      for (let i = 0; i < got; i++) {
        const flags = block[2 * i + 1]!
        if ((flags & PRESENT) === 0) continue
        if ((flags & (FILE_OR_SHARED | EXCLUSIVE)) !== 0) certain++
        else doubtful++
      }
      at += BigInt(got)
    }
  } catch (error) {
    errnoOf(error)
    return null
  } finally {
    if (fd !== null) closeSync(fd)
  }
  return { certain, doubtful }
}

function firstEndingAfter(entries: readonly SmapsEntry[], at: bigint): number {
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
