// Ranges of addresses that lie in one piece in a file.

/** Sorted, disjoint ranges [starts[i], ends[i]) of address keys; `positions[i]` is the file position of the first byte. */
export class RunTable {
  #last = 0

  constructor(
    readonly starts: Float64Array,
    readonly ends: Float64Array,
    readonly positions: Float64Array,
  ) {}

  get count(): number {
    return this.starts.length
  }

  /** Index of the range that holds `key`, or -1. Fast when asked near the last answer. */
  find(key: number): number {
    const last = this.#last
    if (key >= this.starts[last]! && key < this.ends[last]!) return last
    const index = this.firstEndingAfter(key)
    if (index === this.count || key < this.starts[index]!) return -1
    this.#last = index
    return index
  }

  /** Index of the first range with an end above `key`; `count` when there is none. */
  firstEndingAfter(key: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.ends[middle]! > key) high = middle
      else low = middle + 1
    }
    return low
  }
}
