// One thread's tcache: its counts against its lists, chunk by chunk.
import { type Address, address, hex } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Anomaly } from '../heap-model.js'
import { type GlibcLayout, IS_MMAPPED, type WordBytes } from '../layout.js'
import { belongsToBin, type TcacheLayout } from './tcache-layout.js'
import type { CacheBin, ThreadCache } from './thread-cache.js'

/** Answers whether a chunk (address of its header) is known and looks in use, as cached chunks do. */
export type IsUsedChunk = (chunk: Address) => boolean

/** What is needed to read any tcache of one target. */
export interface TcacheContext {
  readonly memory: PageCache
  readonly layout: GlibcLayout
  readonly isUsedChunk: IsUsedChunk | null
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
}

// counts and num_slots are 16 bits wide, so no list is longer.
const MOST_CHUNKS = 65_536

interface List {
  readonly bin: number
  readonly stored: number
  readonly chunks: bigint[]
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
  const [best, other] = (known === null ? [true, false] : [known]).map((safe) =>
    judge(at, tcache, tid, readLists(context, at, view, tcache, safe)),
  )
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
  const seen = new Set<bigint>()
  return Array.from({ length: tcache.bins }, (_, bin) => {
    const stored = tcache.countBytes === 1 ? view.getUint8(bin) : view.getUint16(2 * bin, true)
    const list: List = { bin, stored, chunks: [], sizes: [], broken: null }
    const entry = tcache.entries + bin * word
    list.broken = follow(context, list, wordOf(view, entry, word), at + BigInt(entry), safeLinking, seen)
    return list
  })
}

function wordOf(view: DataView, at: number, word: WordBytes): bigint {
  return word === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
}

// Links point to user memory, two words behind the chunk (malloc/malloc.c, tcache_put). `from`: where `first` is stored.
function follow(
  { memory, layout, isUsedChunk }: TcacheContext,
  list: List,
  first: bigint,
  from: bigint,
  safeLinking: boolean,
  seen: Set<bigint>,
): Anomaly | null {
  const word = layout.wordBytes
  const name = `tcache bin ${list.bin}`
  let link = from
  for (let user = first; user !== 0n; ) {
    const chunk = user - BigInt(2 * word)
    if (seen.has(chunk)) return anomaly(link, `${name} leads back to ${hex(chunk)}`)
    if (list.chunks.length >= MOST_CHUNKS) return anomaly(link, `${name} has more than ${MOST_CHUNKS} chunks`)
    const size = chunkSizeIn(list.bin, memory, chunk, layout)
    if (size === null) return anomaly(link, `${name} leads to ${hex(user)}, which is no chunk of it`)
    if (isUsedChunk && !isUsedChunk(chunk as Address)) {
      return anomaly(link, `${name} leads to ${hex(user)}, which is no chunk in use`)
    }
    seen.add(chunk)
    list.chunks.push(chunk)
    list.sizes.push(size)
    const next = memory.word(user, word)
    if (next === null) return anomaly(user, `${name} has a link that cannot be read`)
    link = user
    user = safeLinking ? next ^ (user >> 12n) : next
  }
  return null
}

// Size of an aligned chunk that may be in `bin`, or null.
function chunkSizeIn(bin: number, memory: PageCache, chunk: bigint, layout: GlibcLayout): number | null {
  const word = layout.wordBytes
  if (chunk <= 0n || ((chunk + BigInt(2 * word)) & BigInt(layout.chunkAlign - 1)) !== 0n) return null
  const head = memory.word(chunk + BigInt(word), word)
  if (head === null || (head & BigInt(IS_MMAPPED)) !== 0n) return null
  const size = Number(head & ~7n)
  const proper = size >= 4 * word && size % layout.chunkAlign === 0
  return proper && belongsToBin(bin, size, word) ? size : null
}

function judge(at: Address, tcache: TcacheLayout, tid: number | null, lists: readonly List[]): TcacheReading {
  const capacity =
    tcache.counts === 'left' ? mostFrequent(lists.map((l) => l.stored + l.chunks.length)) : null
  const anomalies: Anomaly[] = []
  let soundBins = 0
  for (const list of lists) {
    const wrong = list.broken ?? countAnomaly(at, list, tcache, capacity)
    if (wrong) anomalies.push({ ...wrong, what: `${wrong.what} (${ownerText(at, tid)})` })
    else if (list.chunks.length > 0) soundBins++
  }
  const chunks = lists.flatMap((list) => list.chunks)
  const cache: ThreadCache = {
    address: at,
    tid,
    bins: lists.filter((list) => list.chunks.length > 0).map(toBin),
    chunks: BigUint64Array.from(chunks),
    sizes: Float64Array.from(lists.flatMap((list) => list.sizes)),
    complete: anomalies.length === 0,
  }
  const brokenBins = anomalies.length
  return { cache, anomalies, soundBins, brokenBins, empty: brokenBins === 0 && chunks.length === 0, capacity }
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
