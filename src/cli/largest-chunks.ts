// The largest chunks of a stream, in columns; memory follows the limit, not the stream.
import type { ChunkBatch } from '../malloc/chunks/list-chunks.js'

/** Keeps at most `limit` chunks (all of them when it is infinite) and gives them largest first. */
export class LargestChunks {
  #addresses = new BigUint64Array(1024)
  #sizes = new Float64Array(1024)
  #states = new Uint8Array(1024)
  #arenas = new Int32Array(1024)
  #count = 0
  #least = 0

  constructor(readonly limit: number) {}

  add({ count, addresses, sizes, states, arenas }: ChunkBatch): void {
    for (let at = 0; at < count; at++) {
      if (sizes[at]! <= this.#least) continue
      if (this.#count === this.#sizes.length) this.#grow()
      this.#addresses[this.#count] = addresses[at]!
      this.#sizes[this.#count] = sizes[at]!
      this.#states[this.#count] = states[at]!
      this.#arenas[this.#count] = arenas[at]!
      this.#count++
      // Twice the limit is kept before it is cut, so that cutting costs little per chunk.
      if (this.#count > 2 * Math.max(1024, this.limit)) this.#cut()
    }
  }

  sorted(): ChunkBatch {
    this.#cut()
    return {
      count: this.#count,
      addresses: this.#addresses,
      sizes: this.#sizes,
      states: this.#states,
      arenas: this.#arenas,
    }
  }

  #cut(): void {
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index)
    const sizes = this.#sizes
    order.sort((a, b) => sizes[b]! - sizes[a]! || a - b)
    const kept = order.subarray(0, Math.min(this.#count, this.limit))
    this.#addresses = BigUint64Array.from(kept, (index) => this.#addresses[index]!)
    this.#states = Uint8Array.from(kept, (index) => this.#states[index]!)
    this.#arenas = Int32Array.from(kept, (index) => this.#arenas[index]!)
    this.#sizes = Float64Array.from(kept, (index) => sizes[index]!)
    this.#count = kept.length
    if (this.#count === this.limit) this.#least = this.#sizes[this.#count - 1] ?? 0
  }

  #grow(): void {
    const grown = <T extends BigUint64Array | Float64Array | Uint8Array | Int32Array>(
      into: T,
      from: T,
    ): T => {
      into.set(from as never)
      return into
    }
    const length = Math.max(1024, 2 * this.#sizes.length)
    this.#addresses = grown(new BigUint64Array(length), this.#addresses)
    this.#sizes = grown(new Float64Array(length), this.#sizes)
    this.#states = grown(new Uint8Array(length), this.#states)
    this.#arenas = grown(new Int32Array(length), this.#arenas)
  }
}
