// Free chunks by glibc's own lists: fastbins, and the 127 bins of an arena.
import { type Address, address, hex } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Anomaly } from '../heap-model.js'
import { BIN_COUNT, type GlibcLayout } from '../layout.js'
import { SizeHistogram } from './size-classes.js'

/** One list that holds chunks. */
export interface BinSum {
  readonly kind: 'fast' | 'unsorted' | 'small' | 'large'
  /** Of a fastbin 0 …; of the others 1 (unsorted) … 127, as glibc numbers them. */
  readonly index: number
  readonly chunks: number
  readonly bytes: number
  readonly smallestBytes: number
  readonly largestBytes: number
}

/** Sum over lists. `damage`: the first place where one was broken; the sums are then lower bounds. */
export interface ListSum {
  readonly chunks: number
  readonly bytes: number
  readonly largestBytes: number
  readonly sizes: SizeHistogram
  /** Lists that hold chunks, in glibc's order. */
  readonly bins: readonly BinSum[]
  readonly damage: Anomaly | null
}

/** Called for each chunk of a list with its address and size. */
export type ListVisitor = (chunk: bigint, size: number) => void

const SIZE_MASK = ~7n
// Small bins end below bin 64 (NSMALLBINS) in every layout.
const FIRST_LARGE_BIN = 64

class Sum {
  chunks = 0
  bytes = 0
  largestBytes = 0
  readonly sizes = new SizeHistogram()
  readonly bins: BinSum[] = []
  damage: Anomaly | null = null
  #open: { chunks: number; bytes: number; smallestBytes: number; largestBytes: number } | null = null

  constructor(
    readonly mostBytes: number,
    readonly visit: ListVisitor | null,
  ) {}

  /** False when there cannot be so much: the list leads astray. */
  add(chunk: bigint, size: number): boolean {
    if (this.bytes + size > this.mostBytes || size === 0) return false
    this.chunks++
    this.bytes += size
    this.largestBytes = Math.max(this.largestBytes, size)
    this.sizes.add(size)
    this.#open ??= { chunks: 0, bytes: 0, smallestBytes: size, largestBytes: size }
    this.#open.chunks++
    this.#open.bytes += size
    this.#open.smallestBytes = Math.min(this.#open.smallestBytes, size)
    this.#open.largestBytes = Math.max(this.#open.largestBytes, size)
    this.visit?.(chunk, size)
    return true
  }

  close(kind: BinSum['kind'], index: number): void {
    if (this.#open) this.bins.push({ kind, index, ...this.#open })
    this.#open = null
  }

  broken(at: bigint, code: string, what: string): void {
    this.damage ??= { at: address(BigInt.asUintN(64, at)), code, what }
  }
}

/** Follows every fastbin of the arena at `arena`. `systemBytes` of the arena bounds what there can be. */
export function walkFastbins(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  systemBytes: number,
  visit: ListVisitor | null = null,
): ListSum {
  const { fastbins, fastbinCount } = layout.arena
  const sum = new Sum(systemBytes, visit)
  if (fastbins === null) return sum
  const word = layout.wordBytes
  for (let index = 0; index < fastbinCount && !sum.damage; index++) {
    const head = arena + BigInt(fastbins + index * word)
    const first = memory.word(head, word)
    if (first === null) sum.broken(head, 'fastbin-unreadable', 'a fastbin head cannot be read')
    else followFastbin(memory, layout, index, first, sum)
    sum.close('fast', index)
  }
  return sum
}

function followFastbin(memory: PageCache, layout: GlibcLayout, index: number, first: bigint, sum: Sum): void {
  const word = layout.wordBytes
  // Brent: the chunk that was met at each power of two steps comes again in a circle.
  let mark = 0n
  let steps = 0
  for (let chunk = first; chunk !== 0n; ) {
    if (chunk === mark) {
      sum.broken(chunk, 'fastbin-broken', `fastbin ${index} runs in a circle at ${hex(chunk)}`)
      return
    }
    if ((steps & (steps - 1)) === 0) mark = chunk
    steps++
    const size = fastbinChunkSize(memory, layout, index, chunk)
    if (size === null || !sum.add(chunk, size)) {
      sum.broken(chunk, 'fastbin-broken', `fastbin ${index} leads to ${hex(chunk)}, which is no chunk of it`)
      return
    }
    const link = chunk + BigInt(2 * word)
    const stored = memory.word(link, word)
    if (stored === null) {
      sum.broken(link, 'fastbin-unreadable', `the link of a chunk in fastbin ${index} cannot be read`)
      return
    }
    const linked = stored ^ (link >> 12n)
    if (layout.safeLinking !== null) chunk = layout.safeLinking ? linked : stored
    else {
      const plausible = (next: bigint) =>
        next === 0n || fastbinChunkSize(memory, layout, index, next) !== null
      chunk = plausible(linked) ? linked : stored
    }
  }
}

// glibc: fastbin_index(size) = (size >> (SIZE_SZ == 8 ? 4 : 3)) - 2.
function fastbinChunkSize(
  memory: PageCache,
  layout: GlibcLayout,
  index: number,
  chunk: bigint,
): number | null {
  const word = layout.wordBytes
  const size = memory.word(chunk + BigInt(word), word)
  if (size === null) return null
  const bytes = size & SIZE_MASK
  return bytes >> (word === 8 ? 4n : 3n) === BigInt(index + 2) ? Number(bytes) : null
}

/** All bins of an arena, by glibc's numbers: 1 is unsorted. */
const ALL_BINS: readonly number[] = Array.from({ length: BIN_COUNT }, (_, index) => index + 1)

/** Follows bins (unsorted, small, large) of the arena at `arena`, checking fd against bk. */
export function walkBins(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  systemBytes: number,
  visit: ListVisitor | null = null,
  bins: readonly number[] = ALL_BINS,
): ListSum {
  const sum = new Sum(systemBytes, visit)
  for (const bin of bins) {
    if (sum.damage) break
    followBin(memory, arena, layout, bin, sum)
    sum.close(bin === 1 ? 'unsorted' : bin < FIRST_LARGE_BIN ? 'small' : 'large', bin)
  }
  return sum
}

function followBin(memory: PageCache, arena: Address, layout: GlibcLayout, bin: number, sum: Sum): void {
  const word = layout.wordBytes
  const wide = BigInt(word)
  const header = arena + BigInt(layout.arena.bins + 2 * (bin - 1) * word - 2 * word)
  let before = header
  let chunk = memory.word(header + 2n * wide, word)
  while (chunk !== header) {
    const back = chunk === null ? null : memory.word(chunk + 3n * wide, word)
    if (chunk === null || back !== before) {
      const at = chunk ?? before
      const what =
        back === null
          ? `bin ${bin} leads to ${hex(at)}, which cannot be read`
          : `bin ${bin}: bk of ${hex(at)} is ${hex(back)}, expected ${hex(before)}`
      sum.broken(at, 'bin-broken', what)
      return
    }
    const size = Number((memory.word(chunk + wide, word) ?? 0n) & SIZE_MASK)
    if (!sum.add(chunk, size)) {
      const what = `bin ${bin}: ${hex(chunk)} has size ${hex(BigInt(size))}, which its arena has not left`
      sum.broken(chunk, 'bin-broken', what)
      return
    }
    before = chunk
    chunk = memory.word(chunk + 2n * wide, word)
  }
}
