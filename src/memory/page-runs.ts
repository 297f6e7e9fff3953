// Which pages of one stretch of memory are there, as the gaps between them.

/**
 * [start, end) of addresses (as numbers: user addresses lie below 2^53) and its gaps, sorted and disjoint: pages without
 * memory behind them.
 */
export class PageRuns {
  /** Bytes in gaps before gap i. */
  readonly #before: Float64Array

  constructor(
    readonly start: number,
    readonly end: number,
    readonly gapStarts: Float64Array,
    readonly gapEnds: Float64Array,
  ) {
    this.#before = new Float64Array(gapStarts.length + 1)
    for (let i = 0; i < gapStarts.length; i++) {
      this.#before[i + 1] = this.#before[i]! + (gapEnds[i]! - gapStarts[i]!)
    }
  }

  /** Bytes of [from, to), which lies inside [start, end), that are there. */
  bytesIn(from: number, to: number): number {
    return to - from - (this.#gapBytesBelow(to) - this.#gapBytesBelow(from))
  }

  /** Index of the first gap that ends above `at`; the number of gaps when there is none. */
  gapEndingAfter(at: number): number {
    let low = 0
    let high = this.gapEnds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.gapEnds[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }

  #gapBytesBelow(at: number): number {
    const index = this.gapEndingAfter(at)
    const start = this.gapStarts[index]
    const inside = start === undefined || at <= start ? 0 : at - start
    return this.#before[index]! + inside
  }
}

/** Collects gaps in rising order; neighbours are joined. */
export class GapList {
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  add(start: number, end: number): void {
    const last = this.#ends.length - 1
    if (last >= 0 && this.#ends[last] === start) this.#ends[last] = end
    else {
      this.#starts.push(start)
      this.#ends.push(end)
    }
  }

  runs(start: number, end: number): PageRuns {
    return new PageRuns(start, end, Float64Array.from(this.#starts), Float64Array.from(this.#ends))
  }
}
