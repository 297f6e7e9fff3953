// Reads headers that lie at rising offsets of one stretch of memory, in blocks sized by how dense they are.
import { type Address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'

const LARGEST = 512 << 10
const SMALLEST = 4 << 10
// A block must hold a header per this many bytes to be worth its copying; else smaller blocks skip more.
const BYTES_PER_HEADER = 1 << 10

// One buffer for all readers: walks are synchronous; one that was interrupted by another must `forget`.
const SHARED = new Uint32Array(LARGEST / 4)

/** Positions are byte offsets from `origin`, multiples of 4, below 2^53. */
export class BlockReader {
  /** The current block as little-endian 32-bit words; valid until the next `seek`. */
  readonly words = SHARED
  /** Offset of words[0]. */
  start = 0
  /** Offset of the first byte behind the current block. */
  end = 0
  #size = 64 << 10
  #visits = 0

  constructor(
    readonly memory: MemorySource,
    readonly origin: Address,
    readonly limit: number,
  ) {}

  /** Index into `words` of the word at `position`, of which `bytes` follow in the block; −1 when they cannot be read. */
  seek(position: number, bytes: number): number {
    if (position >= this.start && position + bytes <= this.end) {
      this.#visits++
      return (position - this.start) >> 2
    }
    if (this.end > 0) {
      const dense = this.#visits * BYTES_PER_HEADER >= this.end - this.start
      this.#size = dense ? Math.min(LARGEST, this.#size * 2) : Math.max(SMALLEST, this.#size >> 2)
    }
    this.#visits = 1
    const length = Math.min(this.#size, this.limit - position)
    if (length < bytes) return -1
    const into = new Uint8Array(SHARED.buffer, 0, length)
    this.start = position
    this.end = position + (this.memory.read(offset(this.origin, position), into) & ~3)
    return this.end - position < bytes ? -1 : 0
  }

  /** The block is read anew at the next `seek`: another reader had the buffer meanwhile. */
  forget(): void {
    this.start = 0
    this.end = 0
  }
}
