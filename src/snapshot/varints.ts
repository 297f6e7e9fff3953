// Whole numbers below 2^53 in as few bytes as they need (LEB128), the same on every machine.
import { DamagedRecord } from './damaged-snapshot.js'

const MOST_BYTES = 8

/** Numbers one behind the other, in memory that grows. */
export class VarintWriter {
  #bytes = new Uint8Array(1 << 16)
  #length = 0

  add(value: number): void {
    if (this.#length + MOST_BYTES > this.#bytes.length) this.#grow(MOST_BYTES)
    let rest = value
    while (rest >= 0x8000_0000) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  addBytes(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** All of it, valid until the next `add`; begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return taken
  }

  #grow(room: number): void {
    const grown = new Uint8Array(2 * this.#bytes.length + room)
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Reads what a VarintWriter wrote; throws DamagedRecord where no number is. */
export class VarintReader {
  #at = 0

  constructor(readonly bytes: Uint8Array) {}

  next(): number {
    const { bytes } = this
    let value = 0
    let scale = 1
    for (let count = 0; count < MOST_BYTES; count++) {
      const byte = bytes[this.#at++]
      if (byte === undefined) throw new DamagedRecord('a record ends inside of a number')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 128
    }
    throw new DamagedRecord('a number in a record is too large')
  }

  /** The bytes up to the end, which are `count`. */
  rest(count: number): Uint8Array {
    if (this.bytes.length - this.#at !== count)
      throw new DamagedRecord('a record is not as long as it should be')
    return this.bytes.subarray(this.#at)
  }
}
