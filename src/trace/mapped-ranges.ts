// Which parts of the address space still belong to the call that mapped them.
import type { Address } from '../memory/address.js'

/** The smallest page of any machine: addresses and sizes are counted in it, which keeps them exact numbers. */
const PAGE = 4096
const PAGE_BITS = 12n

/** One call's memory. */
export interface Owner {
  /** Called when pages of it go (negative) or come back. */
  readonly changed: (bytes: number) => void
}

interface Range {
  start: number
  end: number
  owner: Owner
}

/** Pages, each of at most one owner; sorted, at most `most` stretches. */
export class MappedRanges {
  #ranges: Range[] = []

  constructor(readonly most: number) {}

  get count(): number {
    return this.#ranges.length
  }

  /** `bytes` from `at` are now `owner`'s; whose they were loses them. False, and nobody's, when there are too many. */
  add(at: Address, bytes: number, owner: Owner): boolean {
    const [start, end] = pagesOf(at, bytes)
    this.#cut(start, end)
    if (this.#ranges.length >= this.most) return false
    this.#ranges.splice(this.#firstEndingAfter(start), 0, { start, end, owner })
    owner.changed((end - start) * PAGE)
    return true
  }

  remove(at: Address, bytes: number): void {
    this.#cut(...pagesOf(at, bytes))
  }

  /** mremap: what lies there moves with its owners, what lies at the new place goes. */
  move(from: Address, to: Address, bytes: number): void {
    const [start, end] = pagesOf(from, bytes)
    const by = Number((to >> PAGE_BITS) - (from >> PAGE_BITS))
    const moved = this.#cut(start, end)
    this.#cut(start + by, end + by)
    const place = this.#firstEndingAfter(start + by)
    this.#ranges.splice(
      place,
      0,
      ...moved.map((range) => ({ start: range.start + by, end: range.end + by, owner: range.owner })),
    )
    for (const range of moved) range.owner.changed((range.end - range.start) * PAGE)
  }

  clear(): void {
    for (const { start, end, owner } of this.#ranges) owner.changed((start - end) * PAGE)
    this.#ranges = []
  }

  /** Drops what lies in no region of `regions` (sorted); returns how many bytes that were. */
  keepOnly(regions: readonly { readonly start: Address; readonly end: Address }[]): number {
    let dropped = 0
    let from = 0
    const drop = (to: number) => {
      for (const { start, end } of this.#cut(from, to)) dropped += (end - start) * PAGE
    }
    for (const region of regions) {
      drop(Number(region.start >> PAGE_BITS))
      from = Number(region.end >> PAGE_BITS)
    }
    drop(Number.MAX_SAFE_INTEGER)
    return dropped
  }

  /** Takes [start, end) out; returns the pieces with their owners, who have been told. */
  #cut(start: number, end: number): Range[] {
    const first = this.#firstEndingAfter(start)
    let last = first
    while (last < this.#ranges.length && this.#ranges[last]!.start < end) last++
    if (first === last) return []
    const gone: Range[] = []
    const left: Range[] = []
    for (const range of this.#ranges.slice(first, last)) {
      if (range.start < start) left.push({ ...range, end: start })
      if (range.end > end) left.push({ ...range, start: end })
      gone.push({ ...range, start: Math.max(start, range.start), end: Math.min(end, range.end) })
    }
    this.#ranges.splice(first, last - first, ...left)
    for (const range of gone) range.owner.changed((range.start - range.end) * PAGE)
    return gone
  }

  #firstEndingAfter(page: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#ranges[middle]!.end > page) high = middle
      else low = middle + 1
    }
    return low
  }
}

function pagesOf(at: Address, bytes: number): [number, number] {
  const start = Number(at >> PAGE_BITS)
  return [start, start + Math.ceil(bytes / PAGE)]
}
