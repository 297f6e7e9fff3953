// A MemorySource that keeps what was read lately, for pointer chasing; bulk readers go to the source itself.
import { type Address, address, offset } from './address.js'
import type { MemoryFault } from './memory-fault.js'
import type { MemorySource } from './memory-source.js'

// Small lines: a chunk's header is all that is wanted of a page, and copying costs.
const LINE_BITS = 10n
const LINE_BYTES = 1 << Number(LINE_BITS)
const LINE_MASK = BigInt(LINE_BYTES - 1)
const EMPTY = -1
/** Line numbers are exact below 2^53; what lies above (the kernel's half) is read uncached. */
const BEYOND_NUMBERS = 63n
/** Lines that are allocated together. */
const SLAB_LINES = 128

interface Slab {
  readonly words: Uint32Array
  readonly view: DataView
}

/**
 * Small reads of `source` through `lines` cached lines of 1 KiB; a line's number says which slot it takes, so nothing
 * is allocated once a slot was used. Stale on a live target until `clear`.
 */
export class PageCache implements MemorySource {
  /** The word that `load` found last, as 32-bit halves; `high` is 0 for words of 4 bytes. */
  low = 0
  high = 0
  readonly #numbers: Float64Array
  readonly #valid: Uint16Array
  readonly #slabs: (Slab | undefined)[] = []

  constructor(
    readonly source: MemorySource,
    readonly lines = 8192,
  ) {
    this.#numbers = new Float64Array(lines).fill(EMPTY)
    this.#valid = new Uint16Array(lines)
  }

  clear(): void {
    this.#numbers.fill(EMPTY)
  }

  read(at: Address, into: Uint8Array): number {
    if (at >> BEYOND_NUMBERS !== 0n) return this.source.read(at, into)
    let done = 0
    while (done < into.length) {
      const position = offset(at, done)
      const slot = this.#slotOf(Number(position >> LINE_BITS))
      const from = Number(position & LINE_MASK)
      const count = Math.min(into.length - done, this.#valid[slot]! - from)
      if (count <= 0) break
      const { buffer, byteOffset } = this.#lineAt(slot)
      into.set(new Uint8Array(buffer, byteOffset + from, count), done)
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
    if (at >> BEYOND_NUMBERS !== 0n) return this.#wordByRead(at, wordBytes)
    const slot = this.#slotOf(Number(at >> LINE_BITS))
    const from = Number(at & LINE_MASK)
    if (from + wordBytes <= this.#valid[slot]!) {
      const { view } = this.#slabs[Math.floor(slot / SLAB_LINES)]!
      const position = (slot % SLAB_LINES) * LINE_BYTES + from
      return wordBytes === 8 ? view.getBigUint64(position, true) : BigInt(view.getUint32(position, true))
    }
    return this.#wordByRead(at, wordBytes)
  }

  #wordByRead(at: bigint, wordBytes: 8 | 4): bigint | null {
    const bytes = new Uint8Array(8)
    if (this.read(address(at), bytes.subarray(0, wordBytes)) < wordBytes) return null
    return new DataView(bytes.buffer).getBigUint64(0, true)
  }

  /**
   * `word` without wide numbers, for inner loops: the word at `at` goes to `low` and `high`. False where it cannot be
   * read, or `at` is 2^53 or more.
   */
  load(at: number, wordBytes: 8 | 4): boolean {
    if (!(at >= 0) || at > Number.MAX_SAFE_INTEGER) return false
    const number = Math.floor(at / LINE_BYTES)
    const from = at - number * LINE_BYTES
    if ((from & 3) !== 0 || from + wordBytes > LINE_BYTES) return this.#loadAcross(at, wordBytes)
    const slot = this.#slotOf(number)
    if (from + wordBytes > this.#valid[slot]!) return false
    const { words } = this.#slabs[Math.floor(slot / SLAB_LINES)]!
    const index = ((slot % SLAB_LINES) * LINE_BYTES + from) >> 2
    this.low = words[index]!
    this.high = wordBytes === 8 ? words[index + 1]! : 0
    return true
  }

  #loadAcross(at: number, wordBytes: 8 | 4): boolean {
    const word = this.word(BigInt(at), wordBytes)
    if (word === null) return false
    this.low = Number(word & 0xffff_ffffn)
    this.high = Number(word >> 32n)
    return true
  }

  // The slot that holds the line of this number, filled.
  #slotOf(number: number): number {
    const slot = number - Math.floor(number / this.lines) * this.lines
    if (this.#numbers[slot] === number) return slot
    this.#numbers[slot] = EMPTY
    this.#valid[slot] = this.source.read(address(BigInt(number) << LINE_BITS), this.#lineAt(slot))
    this.#numbers[slot] = number
    return slot
  }

  #lineAt(slot: number): Uint8Array<ArrayBuffer> {
    const index = Math.floor(slot / SLAB_LINES)
    const slab = this.#slabs[index] ?? this.#addSlab(index)
    return new Uint8Array(slab.words.buffer as ArrayBuffer, (slot % SLAB_LINES) * LINE_BYTES, LINE_BYTES)
  }

  #addSlab(index: number): Slab {
    const buffer = new ArrayBuffer(Math.min(SLAB_LINES, this.lines) * LINE_BYTES)
    const slab = { words: new Uint32Array(buffer), view: new DataView(buffer) }
    this.#slabs[index] = slab
    return slab
  }
}
