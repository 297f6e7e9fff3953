// Which bin holds free chunks of a size, as glibc numbers them (malloc/malloc.c, smallbin_index and largebin_index).
import type { GlibcLayout } from '../layout.js'

/** One of an arena's bins for sorted chunks: small 2 … 63, large 64 … 126. */
export interface SizedBin {
  readonly kind: 'small' | 'large'
  readonly index: number
}

/** [shift, largest value of size >> shift, what is added]; from 64 KiB on they are the same everywhere. */
const SHARED = [
  [9, 20, 91],
  [12, 10, 110],
  [15, 4, 119],
  [18, 2, 124],
] as const
const LAST_BIN = 126

/** The bin of a free chunk of `sizeBytes`, header included, once it is sorted. */
export function binOfSize(sizeBytes: number, { wordBytes, chunkAlign }: GlibcLayout): SizedBin {
  // MALLOC_ALIGNMENT above two words (i386 from 2.26 on) shifts small bins by one.
  const correction = chunkAlign > 2 * wordBytes ? 1 : 0
  if (sizeBytes < (64 - correction) * chunkAlign)
    return { kind: 'small', index: Math.floor(sizeBytes / chunkAlign) + correction }
  const [most, added] = wordBytes === 8 ? [48, 48] : chunkAlign === 16 ? [45, 49] : [38, 56]
  const bySixtyFour = Math.floor(sizeBytes / 64)
  if (bySixtyFour <= most) return { kind: 'large', index: added + bySixtyFour }
  for (const [shift, largest, base] of SHARED) {
    const steps = Math.floor(sizeBytes / 2 ** shift)
    if (steps <= largest) return { kind: 'large', index: base + steps }
  }
  return { kind: 'large', index: LAST_BIN }
}
