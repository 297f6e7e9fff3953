// Which arena's chunks lie in which tcache: caches hold chunks of any arena.

import { SizeHistogram } from '../chunks/size-classes.js'
import type { ThreadCache } from '../threads/thread-cache.js'
import type { MeasuredArena } from './measure-arena.js'

/** Chunks of one arena that lie in tcaches. */
export interface CachedSum {
  readonly chunks: number
  readonly bytes: number
  readonly sizes: SizeHistogram
  /** Of `bytes`: without memory behind them. */
  readonly absentBytes: number
}

/** Cached chunks by arena, in the order of `arenas`; chunks in no heap are not counted. */
export function cachedSums(
  caches: readonly ThreadCache[],
  arenas: readonly MeasuredArena[],
): readonly CachedSum[] {
  const sums = arenas.map(() => ({ chunks: 0, bytes: 0, absentBytes: 0, sizes: new SizeHistogram() }))
  const ranges = arenas
    .flatMap(({ heaps }, arena) =>
      heaps.map((heap) => ({ start: heap.address, size: heap.sizeBytes, arena })),
    )
    .sort((a, b) => (a.start < b.start ? -1 : 1))
  const arenaOf = (chunk: bigint): number => {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (ranges[middle]!.start <= chunk) low = middle + 1
      else high = middle
    }
    const range = ranges[low - 1]
    return range && chunk < range.start + BigInt(range.size) ? range.arena : -1
  }
  for (const cache of caches) {
    cache.chunks.forEach((chunk, index) => {
      const arena = arenaOf(chunk)
      const sum = sums[arena]
      if (!sum) return
      const size = cache.sizes[index]!
      sum.chunks++
      sum.bytes += size
      sum.sizes.add(size)
      sum.absentBytes += arenas[arena]!.walked?.tally.pages?.absentAt(Number(chunk), size) ?? 0
    })
  }
  return sums
}
