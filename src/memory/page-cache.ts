// A MemorySource that keeps what was read lately, for pointer chasing; bulk readers go to the source itself.
import { type Address, address, offset } from './address.js'
import type { MemoryFault } from './memory-fault.js'
import type { MemorySource } from './memory-source.js'

// Small lines: a chunk's header is all that is wanted of a page, and copying costs.
const LINE_BITS = 10n
const LINE_BYTES = 1 << Number(LINE_BITS)
const LINE_MASK = BigInt(LINE_BYTES - 1)
const EMPTY = -1

/**
 * Small reads of `source` through `lines` cached lines of 1 KiB; a line's number says which slot it takes, so nothing
 * is allocated once a slot was used. Stale on a live target until `clear`.
 */
export class PageCache implements MemorySource {
  readonly #numbers: Float64Array
  readonly #valid: Uint16Array
  readonly #bytes: (Uint8Array | undefined)[]
  readonly #views: (DataView | undefined)[]

  constructor(
    readonly source: MemorySource,
    readonly lines = 8192,
  ) {
    this.#numbers = new Float64Array(lines).fill(EMPTY)
    this.#valid = new Uint16Array(lines)
    this.#bytes = new Array<Uint8Array | undefined>(lines)
    this.#views = new Array<DataView | undefined>(lines)
  }

  clear(): void {
    this.#numbers.fill(EMPTY)
  }

  read(at: Address, into: Uint8Array): number {
    let done = 0
    while (done < into.length) {
      const position = offset(at, done)
      const slot = this.#slotOf(position)
      const from = Number(position & LINE_MASK)
      const count = Math.min(into.length - done, this.#valid[slot]! - from)
      if (count <= 0) break
      into.set(this.#bytes[slot]!.subarray(from, from + count), done)
      done += count
    }
    return done
  }

  fault(at: Address): MemoryFault {
    return this.source.fault(at)
  }

  /** The little-endian word at `at`, or null where it cannot be read. */
  word(at: bigint, wordBytes: 8 | 4): bigint | null {
    if (at < 0n || at >> 64n !== 0n) return null
    const slot = this.#slotOf(at)
    const from = Number(at & LINE_MASK)
    if (from + wordBytes <= this.#valid[slot]!) {
      const view = this.#views[slot]!
      return wordBytes === 8 ? view.getBigUint64(from, true) : BigInt(view.getUint32(from, true))
    }
    const bytes = new Uint8Array(8)
    if (this.read(address(at), bytes.subarray(0, wordBytes)) < wordBytes) return null
    return new DataView(bytes.buffer).getBigUint64(0, true)
  }

  // The slot that holds the line of `at`, filled.
  #slotOf(at: bigint): number {
    const number = Number(at >> LINE_BITS)
    const slot = number % this.lines
    if (this.#numbers[slot] === number) return slot
    let bytes = this.#bytes[slot]
    if (!bytes) {
      bytes = new Uint8Array(LINE_BYTES)
      this.#bytes[slot] = bytes
      this.#views[slot] = new DataView(bytes.buffer)
    }
    this.#numbers[slot] = EMPTY
    this.#valid[slot] = this.source.read(address((at >> LINE_BITS) << LINE_BITS), bytes)
    this.#numbers[slot] = number
    return slot
  }
}
