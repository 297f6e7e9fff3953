// Tcaches whose thread cannot be found, told by their content alone.
import { type Address, address } from '../../memory/address.js'
import { PageCache } from '../../memory/page-cache.js'
import type { Target } from '../../target/target.js'
import type { Anomaly } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { type IsUsedChunk, readTcache, type TcacheReading } from './read-tcache.js'
import type { TcacheLayout } from './tcache-layout.js'
import type { ThreadCache } from './thread-cache.js'

export interface CachesByContent {
  /** Owners unknown: tid is null. */
  readonly caches: readonly ThreadCache[]
  readonly anomalies: readonly Anomaly[]
}

/** Sizes of the chunks that `cachesByContent` wants to see. */
export function tcacheChunkSizes(layouts: readonly TcacheLayout[]): ReadonlySet<number> {
  return new Set(layouts.flatMap(({ chunkSizes }) => chunkSizes))
}

/**
 * Those of `candidates` that are a tcache_perthread_struct: addresses (of headers) of used chunks whose size is one of
 * `tcacheChunkSizes(layouts)`, from the walk of all heaps. Counts must agree with lists, and the lists must hold chunks;
 * of a struct in which most filled bins are sound, the broken ones are anomalies. An empty tcache is recognised from
 * 2.42 on (the same room in every bin); before, it is all zeros and cannot be told. `known`: structs whose owner was
 * found, which are left out. Each cached chunk belongs to one cache: of two structs that share one, the first counts
 * (the contents of a freed struct, or a copy).
 */
export function cachesByContent(
  target: Target,
  candidates: BigUint64Array,
  layout: GlibcLayout,
  layouts: readonly TcacheLayout[],
  known: readonly ThreadCache[] = [],
  isUsedChunk: IsUsedChunk | null = null,
): CachesByContent {
  const word = layout.wordBytes
  const context = { memory: new PageCache(target.memory), layout, isUsedChunk }
  const structs = new Set<bigint>(known.map((cache) => cache.address))
  const taken = new Set<bigint>()
  for (const { chunks } of known) for (const chunk of chunks) taken.add(chunk)
  const caches: ThreadCache[] = []
  const anomalies: Anomaly[] = []
  for (const chunk of candidates) {
    const at = address(chunk + BigInt(2 * word))
    const head = context.memory.word(chunk + BigInt(word), word)
    if (head === null || structs.has(at)) continue
    const tcache = layouts.find(({ chunkSizes }) => chunkSizes.includes(Number(head & ~7n)))
    if (!tcache || !agreesWithItself(context.memory, at, tcache, word)) continue
    const reading = readTcache(context, at, tcache, null)
    if (!reading || !isTcache(reading) || reading.cache.chunks.some((cached) => taken.has(cached))) continue
    for (const cached of reading.cache.chunks) taken.add(cached)
    caches.push(reading.cache)
    anomalies.push(...reading.anomalies)
  }
  return { caches, anomalies }
}

function isTcache({ soundBins, brokenBins, empty, capacity }: TcacheReading): boolean {
  if (empty) return capacity !== null && capacity > 0
  return soundBins > brokenBins
}

// Cheap refusal of what is no tcache: list heads are null or aligned, and most bins have a count that fits.
function agreesWithItself(memory: PageCache, at: Address, tcache: TcacheLayout, word: 8 | 4): boolean {
  let odd = 0
  for (let bin = 0; bin < tcache.bins; bin++) {
    const head = memory.word(at + BigInt(tcache.entries + bin * word), word)
    if (head === null) return false
    if ((head & 15n) !== 0n) odd++
  }
  return odd <= tcache.bins / 4
}
