// One thread's tcache: its counts against its lists, chunk by chunk.
import { type Address, address, hex } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Anomaly } from '../heap-model.js'
import { type GlibcLayout, IS_MMAPPED } from '../layout.js'
import { belongsToBin, type TcacheLayout } from './tcache-layout.js'
import type { CacheBin, ThreadCache } from './thread-cache.js'

/** Answers whether a chunk (address of its header) is known and looks in use, as cached chunks do. */
export type IsUsedChunk = (chunk: Address) => boolean

/** What is needed to read any tcache of one target. */
export interface TcacheContext {
  readonly memory: PageCache
  readonly layout: GlibcLayout
  readonly isUsedChunk: IsUsedChunk | null
  /** Sound tcaches by address, read by whoever looked for them; of memory that does not move. */
  readonly known?: Map<bigint, { readonly layout: TcacheLayout; readonly reading: TcacheReading }>
}

/** A tcache as read, and how well its parts agree. */
export interface TcacheReading {
  readonly cache: ThreadCache
  readonly anomalies: readonly Anomaly[]
  /** Bins that hold chunks and whose list and count agree. */
  readonly soundBins: number
  /** Bins whose list is broken, or whose count says something else. */
  readonly brokenBins: number
  /** Nothing in it: complete, and no chunk. */
  readonly empty: boolean
  /** Room in each list, as most of the num_slots tell (tunable glibc.malloc.tcache_count); null before 2.42. */
  readonly capacity: number | null
  /** The struct's own bytes. */
  readonly struct: Uint8Array
}

// counts and num_slots are 16 bits wide, so no list is longer.
const MOST_CHUNKS = 65_536

interface List {
  readonly bin: number
  readonly stored: number
  readonly chunks: number[]
  readonly sizes: number[]
  broken: Anomaly | null
}

/**
 * Reads the tcache_perthread_struct at `at`. Null when the struct itself cannot be read whole. A list that leads to
 * something that is no chunk of its bin ends there, as an anomaly `tcache-broken`; so does one whose length is not
 * what the struct says. A thread that was caught inside malloc can be one chunk off.
 */
export function readTcache(
  context: TcacheContext,
  at: Address,
  tcache: TcacheLayout,
  tid: number | null,
): TcacheReading | null {
  const struct = new Uint8Array(tcache.sizeBytes)
  if (context.memory.read(at, struct) < struct.length) return null
  const view = new DataView(struct.buffer)
  const known = context.layout.safeLinking
  const [best, other] = (known === null ? [true, false] : [known]).map((safe) => ({
    ...judge(at, tcache, tid, readLists(context, at, view, tcache, safe)),
    struct,
  }))
  return other && isBetter(other, best!) ? other : best!
}

function isBetter(a: TcacheReading, b: TcacheReading): boolean {
  return a.brokenBins < b.brokenBins || (a.brokenBins === b.brokenBins && a.soundBins > b.soundBins)
}

function readLists(
  context: TcacheContext,
  at: Address,
  view: DataView,
  tcache: TcacheLayout,
  safeLinking: boolean,
): List[] {
  const word = context.layout.wordBytes
  const struct = Number(at)
  const seen = new Set<number>()
  const lists: List[] = []
  for (let bin = 0; bin < tcache.bins; bin++) {
    const stored = tcache.countBytes === 1 ? view.getUint8(bin) : view.getUint16(2 * bin, true)
    const list: List = { bin, stored, chunks: [], sizes: [], broken: null }
    const entry = tcache.entries + bin * word
    const low = view.getUint32(entry, true)
    const high = word === 8 ? view.getUint32(entry + 4, true) : 0
    if (low !== 0 || high !== 0) {
      list.broken = follow(context, list, { low, high, at: struct + entry }, safeLinking, seen)
    }
    lists.push(list)
  }
  return lists
}

/** A pointer as 32-bit halves, and the address where it is stored. */
interface Link {
  readonly low: number
  readonly high: number
  readonly at: number
}

// Links point to user memory, two words behind the chunk (malloc/malloc.c, tcache_put). Addresses are plain numbers
// here: whatever is 2^53 or more is no memory, hence no chunk.
function follow(
  { memory, layout, isUsedChunk }: TcacheContext,
  list: List,
  first: Link,
  safeLinking: boolean,
  seen: Set<number>,
): Anomaly | null {
  const word = layout.wordBytes
  const broken = (at: number, what: string) => anomaly(BigInt(at), `tcache bin ${list.bin} ${what}`)
  let { low, high, at: link } = first
  while (low !== 0 || high !== 0) {
    const user = high * TWO_32 + low
    const chunk = user - 2 * word
    if (seen.has(chunk)) return broken(link, `leads back to ${hex(BigInt(chunk))}`)
    if (list.chunks.length >= MOST_CHUNKS) return broken(link, `has more than ${MOST_CHUNKS} chunks`)
    const size = chunkSizeIn(list.bin, memory, chunk, layout)
    if (size < 0) return broken(link, `leads to ${hexOf(low, high)}, which is no chunk of it`)
    if (isUsedChunk && !isUsedChunk(address(chunk))) {
      return broken(link, `leads to ${hexOf(low, high)}, which is no chunk in use`)
    }
    seen.add(chunk)
    list.chunks.push(chunk)
    list.sizes.push(size)
    if (!memory.load(user, word)) return broken(user, 'has a link that cannot be read')
    link = user
    // PROTECT_PTR: the pointer XOR (its own address >> 12).
    const shiftedLow = safeLinking ? (low >>> 12) | (high << 20) : 0
    const shiftedHigh = safeLinking ? high >>> 12 : 0
    low = (memory.low ^ shiftedLow) >>> 0
    high = (memory.high ^ shiftedHigh) >>> 0
  }
  return null
}

const TWO_32 = 2 ** 32

function hexOf(low: number, high: number): string {
  return hex((BigInt(high) << 32n) | BigInt(low))
}

// Size of an aligned chunk that may be in `bin`, or −1.
function chunkSizeIn(bin: number, memory: PageCache, chunk: number, layout: GlibcLayout): number {
  const word = layout.wordBytes
  // An aligned number's low half is exact below 2^53, and `load` refuses the others.
  if (chunk <= 0 || (chunk + 2 * word) % layout.chunkAlign !== 0) return -1
  if (!memory.load(chunk + word, word) || (memory.low & IS_MMAPPED) !== 0) return -1
  const size = memory.high * TWO_32 + ((memory.low & ~7) >>> 0)
  const proper = size >= 4 * word && size % layout.chunkAlign === 0
  return proper && belongsToBin(bin, size, word) ? size : -1
}

function judge(
  at: Address,
  tcache: TcacheLayout,
  tid: number | null,
  lists: readonly List[],
): Omit<TcacheReading, 'struct'> {
  const capacity =
    tcache.counts === 'left' ? mostFrequent(lists.map((l) => l.stored + l.chunks.length)) : null
  const anomalies: Anomaly[] = []
  let soundBins = 0
  for (const list of lists) {
    const wrong = list.broken ?? countAnomaly(at, list, tcache, capacity)
    if (wrong) anomalies.push({ ...wrong, what: `${wrong.what} (${ownerText(at, tid)})` })
    else if (list.chunks.length > 0) soundBins++
  }
  const count = lists.reduce((sum, list) => sum + list.chunks.length, 0)
  const cache: ThreadCache = {
    address: at,
    tid,
    bins: lists.filter((list) => list.chunks.length > 0).map(toBin),
    ...columnsOf(lists, count),
    complete: anomalies.length === 0,
  }
  const brokenBins = anomalies.length
  return { cache, anomalies, soundBins, brokenBins, empty: brokenBins === 0 && count === 0, capacity }
}

// Halves are written side by side: no wide number is made for any chunk.
function columnsOf(lists: readonly List[], count: number): Pick<ThreadCache, 'chunks' | 'sizes'> {
  const halves = new Uint32Array(2 * count)
  const sizes = new Float64Array(count)
  let index = 0
  for (const list of lists) {
    for (let i = 0; i < list.chunks.length; i++) {
      const chunk = list.chunks[i]!
      halves[2 * index] = chunk % TWO_32
      halves[2 * index + 1] = Math.floor(chunk / TWO_32)
      sizes[index] = list.sizes[i]!
      index++
    }
  }
  return { chunks: new BigUint64Array(halves.buffer), sizes }
}

function countAnomaly(
  at: Address,
  list: List,
  tcache: TcacheLayout,
  capacity: number | null,
): Anomaly | null {
  const length = list.chunks.length
  const where = at + BigInt(list.bin * tcache.countBytes)
  if (capacity === null) {
    if (list.stored === length) return null
    return anomaly(where, `tcache bin ${list.bin} has ${length} chunks, but its count says ${list.stored}`)
  }
  if (list.stored + length === capacity) return null
  const says = `has ${length} chunks and room for ${list.stored} more, where other bins hold ${capacity}`
  return anomaly(where, `tcache bin ${list.bin} ${says}`)
}

function toBin({ bin, chunks, sizes }: List): CacheBin {
  return { index: bin, chunks: chunks.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

function mostFrequent(values: readonly number[]): number {
  const times = new Map<number, number>()
  let best = values[0]!
  for (const value of values) {
    const count = (times.get(value) ?? 0) + 1
    times.set(value, count)
    if (count > (times.get(best) ?? 0)) best = value
  }
  return best
}

function ownerText(at: Address, tid: number | null): string {
  return tid === null ? `the tcache at ${hex(at)}` : `thread ${tid}`
}

function anomaly(at: bigint, what: string): Anomaly {
  return { at: address(BigInt.asUintN(64, at)), code: 'tcache-broken', what }
}
