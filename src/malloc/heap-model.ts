// glibc's heap as data: what the discovery finds, and what findings and reports read.
import type { Address } from '../memory/address.js'
import type { SizeHistogram } from './chunks/size-classes.js'
import type { ThreadCache, ThreadMalloc } from './threads/thread-cache.js'

/** Damage or doubt met on a walk: kept, never thrown away. */
export interface Anomaly {
  readonly at: Address
  /** Stable kebab-case code, e.g. `ring-broken`, `heap-unreadable`. */
  readonly code: string
  /** One sentence for people. */
  readonly what: string
}

/** A heap_info segment of an arena, or the brk area of main_arena. */
export interface Heap {
  /** Of the heap_info; of the first chunk's segment (sbrk_base) in main_arena. */
  readonly address: Address
  /** heap_info.size: bytes handed to the arena so far, from `address`. */
  readonly sizeBytes: number
  /** heap_info.mprotect_size: readable and writable bytes, ≥ sizeBytes. Equals sizeBytes in main_arena. */
  readonly committedBytes: number
  /** Address space kept for this heap (HEAP_MAX_SIZE); equals sizeBytes in main_arena. */
  readonly reservedBytes: number
}

/**
 * What holds an arena's memory that is in RAM (of a core: that was saved), in bytes: every resident byte of its heaps,
 * committed and reserved, is in exactly one part.
 */
export interface ArenaResidency {
  readonly liveBytes: number
  readonly tcacheBytes: number
  readonly fastbinBytes: number
  /** Whole pages inside chunks of the bins: what malloc_trim gives back by MADV_DONTNEED. */
  readonly trimmableBytes: number
  /** The rest of the bins' chunks: headers, links and fragments of pages. */
  readonly pinnedBytes: number
  readonly topBytes: number
  /** heap_info, malloc_state, alignment, fenceposts, foreign memory between pieces of the main heap. */
  readonly overheadBytes: number
  /** Behind what the arena uses of its heaps: left from before a heap shrank. */
  readonly reservedBytes: number
}

/** An arena of a live process that changed during every read: what the reads saw, smallest and largest. */
export interface MovingArena {
  readonly reads: number
  /** By the headers, each of which is of one moment. */
  readonly systemBytes: readonly [number, number]
  /** By the walks that came through, each of several moments; null when none did. */
  readonly inUseBytes: readonly [number, number] | null
}

/** malloc's parameters (`mp_`); null members could not be read or do not exist in that glibc. Sizes in bytes, 2^53 − 1 at most. */
export interface MallocParameters {
  readonly trimThresholdBytes: number | null
  readonly topPadBytes: number | null
  readonly mmapThresholdBytes: number | null
  readonly arenaTest: number | null
  /** 0: not set. */
  readonly arenaMax: number | null
  readonly mmapsMost: number | null
  /** False: the mmap threshold was set, so that it does not follow freed chunks. */
  readonly dynamicThreshold: boolean | null
}

/**
 * One malloc_state. Byte counts are exact and 64-bit; a count is null where memory did not allow to know it.
 * inUseBytes is what malloc_stats calls "in use bytes" (tcache and headers included):
 * freeBytes = fastbinBytes + binnedBytes + topBytes and inUseBytes + freeBytes = systemBytes.
 */
export interface Arena {
  /** Position in the ring, main_arena 0: malloc_stats' "Arena N", malloc_info's heap nr. */
  readonly index: number
  readonly address: Address
  readonly isMain: boolean
  /** Oldest first. */
  readonly heaps: readonly Heap[]
  readonly systemBytes: number | null
  readonly maxSystemBytes: number | null
  readonly inUseBytes: number | null
  readonly freeBytes: number | null
  readonly fastbinBytes: number | null
  readonly binnedBytes: number | null
  readonly topBytes: number | null
  readonly top: Address | null
  /** Chunks in fastbins and bins; top is not counted. */
  readonly freeChunks: number | null
  /**
   * What inUseBytes is made of: chunks that the program holds, chunks in threads' tcaches, and overhead: heap_info,
   * malloc_state, alignment, fenceposts, and memory between pieces of the main heap that somebody else got from sbrk.
   */
  readonly liveBytes: number | null
  readonly usedChunks: number | null
  readonly tcacheBytes: number | null
  readonly tcacheChunks: number | null
  readonly overheadBytes: number | null
  /** The largest binned chunk, 0 when there is none. */
  readonly largestFreeBytes: number | null
  /** Chunk sizes: live ones and binned ones. Null where not every chunk was seen. */
  readonly sizes: { readonly live: SizeHistogram; readonly free: SizeHistogram } | null
  /** malloc_state.attached_threads; null before glibc 2.23. */
  readonly attachedThreads: number | null
  /**
   * Bytes of the arena's heaps, damaged or not saved, of which no chunk could be told; null where a heap itself is
   * unknown; absent or 0 when every chunk was seen.
   */
  readonly skippedBytes?: number | null
  /** Null where residency is unknown, or not every chunk was seen. */
  readonly resident: ArenaResidency | null
  /**
   * Resident bytes that malloc_trim(0) would give back, by what this glibc's does: from inside chunks (fastbins joined
   * to their neighbours up to 2.42), and for main_arena from the end of top. Null where unknown.
   */
  readonly trimReturnsBytes: number | null
  /** Set where it changed during every read: the figures above, where they are not null, are of several moments. */
  readonly moving?: MovingArena
  /** False where a number above is a lower bound or null because of damage or missing memory. */
  readonly complete: boolean
}

/** Chunks with their own mapping (M_MMAP_THRESHOLD), by mp_'s counters and as found in memory. */
export interface MmappedChunks {
  /** mp_.n_mmaps and mp_.mmapped_mem; null when mp_ is unknown. */
  readonly count: number | null
  readonly bytes: number | null
  /** mp_.max_mmapped_mem, the high-water mark that malloc_stats prints. */
  readonly maxBytes: number | null
  /** The mappings that were found, by address; their sum is `bytes` when all were found. */
  readonly found: readonly { readonly address: Address; readonly bytes: number }[]
}

export type LayoutSource = 'debug-info' | 'table' | 'probe'

export interface Glibc {
  /** `2.36`, or null when no libc told. */
  readonly version: string | null
  readonly layoutFrom: LayoutSource
  readonly mainArena: Address
  readonly mallocPar: Address | null
}

/** Sums over all arenas. */
export interface HeapTotals {
  readonly systemBytes: number | null
  readonly inUseBytes: number | null
  readonly freeBytes: number | null
  readonly fastbinBytes: number | null
  readonly binnedBytes: number | null
  readonly topBytes: number | null
  readonly liveBytes: number | null
  readonly usedChunks: number | null
  readonly tcacheBytes: number | null
  readonly tcacheChunks: number | null
  readonly overheadBytes: number | null
  readonly largestFreeBytes: number | null
  /** malloc_trim(0)'s effect, over all arenas. */
  readonly trimReturnsBytes: number | null
}

/** malloc's whole state in one target. */
export interface HeapModel {
  readonly glibc: Glibc
  /** Ring order; behind a break of the ring, those that their heaps told (`readRing`). */
  readonly arenas: readonly Arena[]
  /** False when the ring could not be followed back to main_arena. */
  readonly ringClosed: boolean
  readonly mmapped: MmappedChunks
  readonly parameters: MallocParameters | null
  /** Sums over arenas, without mmapped chunks; null when an arena's figure is null or an arena may be missing. */
  readonly totals: HeapTotals
  readonly threads: readonly ThreadMalloc[]
  /** All tcaches that were found, those of no known thread included. */
  readonly caches: readonly ThreadCache[]
  /** True when each thread's tcache was found, or it provably has none. */
  readonly allCachesFound: boolean
  /** What figures take for granted without proof, in sentences for people. */
  readonly notes?: readonly string[]
  readonly anomalies: readonly Anomaly[]
}
