// Memory behind a gdb stub: pages that were read lately are kept, and what lies ahead comes along.
import { type Address, address, offset } from '../../../memory/address.js'
import { MemoryFault } from '../../../memory/memory-fault.js'
import type { MemorySource } from '../../../memory/memory-source.js'
import { type Region, regionAt } from '../../../memory/region.js'

const LINE_BITS = 12n
const LINE_BYTES = 1 << Number(LINE_BITS)
/** 32 MiB. */
const MOST_LINES = 8192
/** What one packet of gdbserver brings (9215 bytes) holds two of them; twice as much each time they are read on and on. */
const FIRST_LINES = 2
const MOST_AHEAD_LINES = 32
/** From so much on a read goes to the stub by itself, in requests of at most so much. */
const LARGE_BYTES = 64 << 10
const REQUEST_BYTES = 256 << 10
/** Behind it is no user memory on any machine we read. */
const LAST = 2n ** 63n

/** Reads at an address into a buffer, as far as memory can be read. */
export type ReadRemote = (at: Address, into: Uint8Array) => number

/**
 * Bytes as of when they were first read: `forget` when the process has run. A mapping without any permission reads as a
 * fault, as the process itself cannot read it either, and so does all that is not mapped: no packet is spent on it.
 */
export class RemoteMemory implements MemorySource {
  readonly #readRemote: ReadRemote
  readonly #regions: () => readonly Region[]
  /** By number of the line, longest unused first. Bytes that are valid: all of them, or none. */
  readonly #lines = new Map<number, Uint8Array>()
  #expected = -1
  #ahead = FIRST_LINES

  constructor(readRemote: ReadRemote, regions: () => readonly Region[]) {
    this.#readRemote = readRemote
    this.#regions = regions
  }

  read(at: Address, into: Uint8Array): number {
    let done = 0
    while (done < into.length) {
      const position = offset(at, done)
      const region = position < LAST ? regionAt(this.#regions(), position) : null
      if (region === null || isForbidden(region)) break
      const wanted = Math.min(into.length - done, Number(region.end - position))
      const part = into.subarray(done, done + wanted)
      const got =
        wanted >= LARGE_BYTES ? this.#readLarge(position, part) : this.#readLines(position, part, region.end)
      done += got
      if (got < wanted) break
    }
    return done
  }

  fault(at: Address): MemoryFault {
    const region = regionAt(this.#regions(), at)
    if (region === null) return new MemoryFault(at, 'unmapped')
    if (isForbidden(region)) return new MemoryFault(at, 'io', 'mapped without any access permission')
    return new MemoryFault(at, 'io', region.path ?? 'a guard page, or a page the stub will not show')
  }

  forget(): void {
    this.#lines.clear()
    this.#expected = -1
  }

  #readLarge(at: Address, into: Uint8Array): number {
    let done = 0
    while (done < into.length) {
      const part = into.subarray(done, done + REQUEST_BYTES)
      const got = this.#readRemote(offset(at, done), part)
      done += got
      if (got < part.length) break
    }
    return done
  }

  #readLines(at: Address, into: Uint8Array, end: Address): number {
    let done = 0
    while (done < into.length) {
      const position = offset(at, done)
      const line = this.#lineOf(Number(position >> LINE_BITS), end)
      const from = Number(position & BigInt(LINE_BYTES - 1))
      const part = line.subarray(from, from + into.length - done)
      if (part.length === 0) break
      into.set(part, done)
      done += part.length
    }
    return done
  }

  // Mappings begin and end at pages, and no page is smaller than a line.
  #lineOf(number: number, end: Address): Uint8Array {
    const known = this.#lines.get(number)
    if (known) {
      this.#lines.delete(number)
      this.#lines.set(number, known)
      return known
    }
    this.#ahead = number === this.#expected ? Math.min(MOST_AHEAD_LINES, this.#ahead * 2) : FIRST_LINES
    const last = Number((end - 1n) >> LINE_BITS)
    const count = Math.min(this.#ahead, last - number + 1)
    const bytes = new Uint8Array(count * LINE_BYTES)
    const got = this.#readRemote(address(BigInt(number) << LINE_BITS), bytes)
    this.#expected = number + count
    for (let i = 0; i < count; i++) {
      const isWhole = (i + 1) * LINE_BYTES <= got
      // Behind the first that cannot be read nothing is known.
      if (!isWhole && i * LINE_BYTES > got) break
      this.#keep(number + i, bytes.subarray(i * LINE_BYTES, isWhole ? (i + 1) * LINE_BYTES : got))
    }
    return this.#lines.get(number)!
  }

  #keep(number: number, line: Uint8Array): void {
    this.#lines.set(number, line)
    if (this.#lines.size <= MOST_LINES) return
    const [oldest] = this.#lines.keys()
    this.#lines.delete(oldest!)
  }
}

function isForbidden({ permissions: p }: Region): boolean {
  return !p.read && !p.write && !p.execute
}
