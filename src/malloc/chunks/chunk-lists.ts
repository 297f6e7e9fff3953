// The chunks of an arena that lists name, as sorted columns: what a header does not tell.
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { listNodes } from '../damage/list-nodes.js'
import type { Arena, HeapModel } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { walkBins, walkFastbins } from './bins.js'

/** Addresses of chunk headers, rising. */
export interface ChunkLists {
  /** Of all threads' tcaches, whichever arena a chunk is of. */
  readonly tcache: BigUint64Array
  readonly fastbin: BigUint64Array
  readonly unsorted: BigUint64Array
  /** The chunks that bins name, of an arena that holds damage; null of a sound one. */
  readonly nodes: BigUint64Array | null
}

/** The chunks of every tcache of `model`. */
export function cachedChunks({ caches }: Pick<HeapModel, 'caches'>): BigUint64Array {
  return sorted(caches.flatMap((cache) => [...cache.chunks]))
}

/** Follows the lists of one arena; `tcache` as `cachedChunks` tells it. */
export function chunkLists(
  memory: MemorySource,
  layout: GlibcLayout,
  arena: Arena,
  tcache: BigUint64Array,
): ChunkLists {
  const cache = new PageCache(memory)
  const bytes = arena.systemBytes ?? 0
  const fastbin: bigint[] = []
  const unsorted: bigint[] = []
  walkFastbins(cache, arena.address, layout, bytes, (chunk) => fastbin.push(chunk))
  walkBins(cache, arena.address, layout, bytes, (chunk) => unsorted.push(chunk), [1])
  const nodes = arena.skippedBytes ? listNodes(cache, arena.address, layout, bytes) : null
  return { tcache, fastbin: sorted(fastbin), unsorted: sorted(unsorted), nodes }
}

function sorted(addresses: readonly bigint[]): BigUint64Array {
  return BigUint64Array.from(addresses).sort()
}
