// All that malloc's structures tell of one chunk: its exact state, the list it is in, and the links stored in it.
import { type Address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import type { HeapModel } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { lowerBound } from '../lower-bound.js'
import { binOfSize } from './bin-index.js'
import type { Chunk } from './chunk-index.js'
import { type ChunkLists, cachedChunks, chunkLists } from './chunk-lists.js'
import type { ChunkState } from './list-chunks.js'

/** A word of a chunk that links it into a list. */
export interface ChunkLink {
  /** `next` in tcaches; the others as struct malloc_chunk names them. */
  readonly name: 'fd' | 'bk' | 'fd_nextsize' | 'bk_nextsize' | 'next'
  readonly at: Address
  /** Where it leads, safe-linking undone; 0: the end of the list. */
  readonly target: bigint
  /** True where the stored word is (at >> 12) ^ target. */
  readonly isMangled: boolean
}

export interface ChunkFacts {
  readonly chunk: Chunk
  /** `arena`: heap_info and malloc_state at the start of a heap. */
  readonly state: ChunkState | 'arena'
  /** Free chunks that are sorted: their bin. Null for others. */
  readonly bin: { readonly kind: 'small' | 'large'; readonly index: number } | null
  /** The thread whose tcache holds it; null where it is in none, or in one of no known thread. */
  readonly tid: number | null
  readonly links: readonly ChunkLink[]
}

/** Of memory that moves, lists are followed anew after so long: a screen asks of many chunks at once. */
const FRESH_MS = 500

/** Answers for the arenas of one reading; `stable`: its memory does not move. */
export class ChunkFactsIndex {
  readonly #lists = new Map<number, { readonly lists: ChunkLists; readonly at: number }>()
  readonly #cached: BigUint64Array

  constructor(
    readonly memory: MemorySource,
    readonly layout: GlibcLayout,
    readonly model: HeapModel,
    readonly stable: boolean,
  ) {
    this.#cached = cachedChunks(model)
  }

  factsOf(chunk: Chunk): ChunkFacts {
    const state = this.#stateOf(chunk)
    const bin = state === 'binned' ? binOfSize(chunk.sizeBytes, this.layout) : null
    const owner =
      state === 'tcache' ? this.model.caches.find((one) => one.chunks.includes(chunk.address)) : null
    return {
      chunk,
      state,
      bin,
      tid: owner?.tid ?? null,
      links: this.#linksOf(chunk, state, bin?.kind === 'large'),
    }
  }

  #stateOf(chunk: Chunk): ChunkState | 'arena' {
    if (chunk.state === 'used') {
      if (holds(this.#cached, chunk.address)) return 'tcache'
      return holds(this.#listsOf(chunk.arenaIndex)?.fastbin, chunk.address) ? 'fastbin' : 'live'
    }
    if (chunk.state !== 'free') return chunk.state
    return holds(this.#listsOf(chunk.arenaIndex)?.unsorted, chunk.address) ? 'unsorted' : 'binned'
  }

  #listsOf(index: number): ChunkLists | null {
    const known = this.#lists.get(index)
    if (known && (this.stable || performance.now() - known.at < FRESH_MS)) return known.lists
    const arena = this.model.arenas.find((one) => one.index === index)
    if (!arena) return null
    const lists = chunkLists(this.memory, this.layout, arena, this.#cached)
    this.#lists.set(index, { lists, at: performance.now() })
    return lists
  }

  #linksOf({ address, sizeBytes }: Chunk, state: ChunkState | 'arena', isLarge: boolean): ChunkLink[] {
    const word = this.layout.wordBytes
    const names =
      state === 'tcache'
        ? (['next'] as const)
        : state === 'fastbin'
          ? (['fd'] as const)
          : state === 'unsorted' || state === 'binned'
            ? ([
                'fd',
                'bk',
                ...(isLarge && sizeBytes >= 6 * word ? (['fd_nextsize', 'bk_nextsize'] as const) : []),
              ] as const)
            : []
    const cache = new PageCache(this.memory)
    return names.flatMap((name, index) => {
      const at = offset(address, (2 + index) * word)
      const stored = cache.word(at, word)
      // Only the first chunk of a size is in the skip list of its large bin.
      if (stored === null || (stored === 0n && name.endsWith('_nextsize'))) return []
      const single = state === 'tcache' || state === 'fastbin'
      const { target, isMangled } = single
        ? this.#demangled(at, stored)
        : { target: stored, isMangled: false }
      return [{ name, at, target, isMangled }]
    })
  }

  /** Unknown safe-linking is told by the target: an aligned address, or the end of the list. */
  #demangled(at: Address, stored: bigint): { target: bigint; isMangled: boolean } {
    const { safeLinking, chunkAlign } = this.layout
    const linked = stored ^ (at >> 12n)
    const isSound = linked % BigInt(chunkAlign) === 0n && linked >> 52n === 0n
    const isMangled = safeLinking ?? isSound
    return isMangled ? { target: linked, isMangled } : { target: stored, isMangled: false }
  }
}

function holds(addresses: BigUint64Array | undefined, wanted: bigint): boolean {
  return addresses !== undefined && addresses[lowerBound(addresses, wanted)] === wanted
}
