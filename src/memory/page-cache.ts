// A MemorySource that keeps recently used pages, for pointer chasing; bulk readers go to the source itself.
import { type Address, address, offset } from './address.js'
import type { MemoryFault } from './memory-fault.js'
import type { MemorySource } from './memory-source.js'

const PAGE_BYTES = 4096

interface Page {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly valid: number
}

/** Small reads of `source` through at most `pages` cached pages of 4 KiB. Stale on a live target until `clear`. */
export class PageCache implements MemorySource {
  #pages = new Map<bigint, Page>()
  #last: Page | null = null
  #lastNumber = -1n

  constructor(
    readonly source: MemorySource,
    readonly pages = 4096,
  ) {}

  clear(): void {
    this.#pages.clear()
    this.#last = null
    this.#lastNumber = -1n
  }

  read(at: Address, into: Uint8Array): number {
    let done = 0
    while (done < into.length) {
      const position = offset(at, done)
      const page = this.#page(position >> 12n)
      const from = Number(position & 0xfffn)
      const count = Math.min(into.length - done, page.valid - from)
      if (count <= 0) break
      into.set(page.bytes.subarray(from, from + count), done)
      done += count
    }
    return done
  }

  fault(at: Address): MemoryFault {
    return this.source.fault(at)
  }

  /** The little-endian word at `at`, or null where it cannot be read. */
  word(at: bigint, wordBytes: 8 | 4): bigint | null {
    const page = this.#page(at >> 12n)
    const from = Number(at & 0xfffn)
    if (from + wordBytes <= page.valid) {
      return wordBytes === 8 ? page.view.getBigUint64(from, true) : BigInt(page.view.getUint32(from, true))
    }
    const bytes = new Uint8Array(8)
    if (this.read(address(BigInt.asUintN(64, at)), bytes.subarray(0, wordBytes)) < wordBytes) return null
    return new DataView(bytes.buffer).getBigUint64(0, true)
  }

  #page(number: bigint): Page {
    if (this.#last && number === this.#lastNumber) return this.#last
    let page = this.#pages.get(number)
    if (!page) {
      const bytes = new Uint8Array(PAGE_BYTES)
      const valid = this.source.read(address(BigInt.asUintN(64, number << 12n)), bytes)
      page = { bytes, view: new DataView(bytes.buffer), valid }
      if (this.#pages.size >= this.pages) {
        const oldest = this.#pages.keys().next().value
        if (oldest !== undefined) this.#pages.delete(oldest)
      }
      this.#pages.set(number, page)
    }
    this.#last = page
    this.#lastNumber = number
    return page
  }
}
