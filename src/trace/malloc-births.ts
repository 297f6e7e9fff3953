// Whether a reservation is a heap of malloc, told by what malloc writes at its start a moment later.
import { type Address, address, offset } from '../memory/address.js'
import type { MemorySource } from '../memory/memory-source.js'
import type { MapEvent, TraceEvent } from './trace-event.js'

/** struct _heap_info begins with ar_ptr, prev, size, mprotect_size in every glibc; malloc_state follows it closely. */
const HEAP_INFO_WORDS = 4
/** HEAP_MAX_SIZE by word size; with huge pages (glibc.malloc.hugetlb) it is another. */
const HEAP_MAX_BYTES = { 8: 64 * 2 ** 20, 4: 2 ** 20 } as const
const MOST_HEAP_INFO_BYTES = 256
/** malloc writes heap_info right after the call; a thread may be held up in between. */
const WAIT_MS = 800
const LOOK_EVERY_MS = 10
/** Events behind a reservation wait with it; when there are so many, it stays undecided. */
const MOST_WAITING = 20_000

/** What was born where: without what malloc gives back again at once. */
type Birth = Pick<MapEvent, 'mallocBirth' | 'address' | 'bytes'>

/**
 * Passes events on in their order. Those that may be a heap are held, with all behind them, until its first words tell
 * (at most about a second); `mallocBirth` of what they do not tell stays null, and it goes no further when it is
 * smaller than `minimumBytes`.
 */
export class MallocBirths {
  readonly #memory: MemorySource
  readonly #wordBytes: 8 | 4
  readonly #minimumBytes: number
  readonly #onEvent: (event: TraceEvent) => void
  #waiting: { event: TraceEvent; mayBeHeap: boolean }[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(
    memory: MemorySource,
    wordBytes: 8 | 4,
    minimumBytes: number,
    onEvent: (event: TraceEvent) => void,
  ) {
    this.#memory = memory
    this.#wordBytes = wordBytes
    this.#minimumBytes = minimumBytes
    this.#onEvent = onEvent
  }

  /** `mayBeHeap`: a map event without access rights (PROT_NONE), as malloc reserves heaps. */
  push(event: TraceEvent, mayBeHeap = false): void {
    this.#waiting.push({ event, mayBeHeap })
    if (this.#timer === null || this.#waiting.length > MOST_WAITING) this.#pass(false)
  }

  /** Passes everything on, decided or not. */
  flush(): void {
    this.#pass(true)
  }

  #pass(isLast: boolean): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    let passed = 0
    for (; passed < this.#waiting.length; passed++) {
      const { event, mayBeHeap } = this.#waiting[passed]!
      if (!mayBeHeap || event.kind !== 'map') {
        this.#onEvent(event)
        continue
      }
      const birth = this.#birthOf(event)
      const isTooLate = isLast || Date.now() - event.atMs > WAIT_MS || this.#waiting.length > MOST_WAITING
      if (birth === null && !isTooLate) {
        this.#timer = setTimeout(() => this.#pass(false), LOOK_EVERY_MS)
        break
      }
      if (birth !== null || event.bytes >= this.#minimumBytes) this.#onEvent({ ...event, ...birth })
    }
    this.#waiting = this.#waiting.slice(passed)
  }

  /** new_heap maps one heap where it hopes that it is aligned, or twice as much and gives back what is too much. */
  #birthOf({ address: at, bytes }: MapEvent): Birth | null {
    if (at === null || bytes === 0) return null
    const half = bytes / 2
    const usual = HEAP_MAX_BYTES[this.#wordBytes]
    if (
      at % BigInt(bytes) === 0n &&
      half !== usual &&
      (bytes === usual || this.#isMapped(offset(at, half)))
    ) {
      return this.#birthAt(at, bytes)
    }
    if (bytes === usual || !Number.isInteger(half)) return null
    const aligned = ((at + BigInt(half) - 1n) / BigInt(half)) * BigInt(half)
    return this.#birthAt(address(aligned), half)
  }

  #isMapped(at: Address): boolean {
    return this.#memory.read(at, new Uint8Array(1)) === 1 || this.#memory.fault(at).kind !== 'unmapped'
  }

  #birthAt(heap: Address, heapBytes: number): Birth | null {
    const born = { address: heap, bytes: heapBytes }
    const [arena, previous, size, writable] = this.#words(heap) ?? []
    if (!arena || previous === undefined || !size || !writable) return null
    if (size > heapBytes || writable > heapBytes || size % 4096n !== 0n) return null
    const end = heap + BigInt(heapBytes)
    if (arena > heap && arena < end) {
      const isFirst = previous === 0n && arena - heap <= BigInt(MOST_HEAP_INFO_BYTES)
      return isFirst ? { ...born, mallocBirth: 'arena' } : null
    }
    // A further heap names the arena of another one, which names it too.
    const first = arena - (arena % BigInt(heapBytes))
    const isNamed = this.#words(address(first))?.[0] === arena && arena - first <= MOST_HEAP_INFO_BYTES
    return isNamed ? { ...born, mallocBirth: 'heap' } : null
  }

  #words(at: Address): readonly bigint[] | null {
    const bytes = new Uint8Array(HEAP_INFO_WORDS * this.#wordBytes)
    if (this.#memory.read(offset(at, 0), bytes) !== bytes.length) return null
    const view = new DataView(bytes.buffer)
    return Array.from({ length: HEAP_INFO_WORDS }, (_, index) =>
      this.#wordBytes === 8 ? view.getBigUint64(index * 8, true) : BigInt(view.getUint32(index * 4, true)),
    )
  }
}
