// The shapes of glibc's tcache_perthread_struct, and which bin of it a chunk belongs to.
import type { StructLayout } from '../../target/target.js'
import type { WordBytes } from '../layout.js'

/** struct tcache_perthread_struct: an array of counts at 0, and one of list heads behind it. */
export interface TcacheLayout {
  /** `used`: counts[i], chunks in list i (≤ 2.41). `left`: num_slots[i], the room left in list i (≥ 2.42). */
  readonly counts: 'used' | 'left'
  readonly countBytes: 1 | 2
  /** 64, one for each small size; from 2.42 on 12 more for powers of two. */
  readonly bins: number
  /** Offset of entries[]. */
  readonly entries: number
  readonly sizeBytes: number
  /** Sizes that the struct's own chunk can have. No two layouts share one. */
  readonly chunkSizes: readonly number[]
}

/** Bins for one chunk size each (TCACHE_SMALL_BINS); large ones follow. */
export const SMALL_TCACHE_BINS = 64
// MALLOC_ALIGNMENT of every glibc that has a tcache.
const ALIGN = 16

function layoutOf(counts: 'used' | 'left', countBytes: 1 | 2, bins: number, word: WordBytes): TcacheLayout {
  const entries = Math.ceil((bins * countBytes) / word) * word
  const sizeBytes = entries + bins * word
  const chunk = request2size(sizeBytes, word)
  // 2.43 applies request2size twice; a remainder too small for a chunk of its own stays with the chunk.
  const grown = counts === 'left' ? [chunk, chunk + ALIGN, chunk + 2 * ALIGN] : [chunk, chunk + ALIGN]
  return { counts, countBytes, bins, entries, sizeBytes, chunkSizes: grown }
}

function request2size(bytes: number, word: WordBytes): number {
  return (bytes + word + ALIGN - 1) & -ALIGN
}

// [first glibc 2.x, …] newest first.
const HISTORY = [
  [42, 'left', 2, 76],
  [30, 'used', 2, 64],
  [26, 'used', 1, 64],
] as const

/**
 * The layouts a glibc 2.`minor` can have: its own first, then the others, newest first, for distributions that port
 * changes back. Empty before 2.26, which has no tcache. `minor` null: all of them.
 */
export function tcacheLayouts(minor: number | null, word: WordBytes): readonly TcacheLayout[] {
  if (minor !== null && minor < 26) return []
  const own = HISTORY.find(([first]) => minor !== null && minor >= first)
  const rows = own ? [own, ...HISTORY.filter((row) => row !== own)] : HISTORY
  return rows.map(([, counts, countBytes, bins]) => layoutOf(counts, countBytes, bins, word))
}

/** The layout that debug information tells; null when it lacks the struct or has one of unknown make. */
export function tcacheLayoutOfStruct(struct: StructLayout | undefined, word: WordBytes): TcacheLayout | null {
  const entries = struct?.offsets.get('entries')
  if (struct === undefined || entries === undefined) return null
  const known = tcacheLayouts(null, word).find(
    (layout) => layout.entries === entries && layout.sizeBytes === struct.sizeBytes,
  )
  return known ?? null
}

/** True when a chunk of `size` bytes may be in list `bin` (csize2tidx and, for large bins, large_csize2tidx). */
export function belongsToBin(bin: number, size: number, word: WordBytes): boolean {
  if (bin < SMALL_TCACHE_BINS) return Math.floor((size - 4 * word + ALIGN - 1) / ALIGN) === bin
  return Math.floor(Math.log2(size)) - 10 === bin - SMALL_TCACHE_BINS
}
