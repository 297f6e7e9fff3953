// Chunk sizes in classes: each size up to 1 KiB by itself, then four to a power of two.

const SMALL_CLASSES = 64
const SMALL_LIMIT = 1024
const SMALL_LIMIT_LOG2 = 10
const LARGE_LIMIT = 2 ** 31
/** Chunks of 2 GiB and more share the last class. */
export const CLASS_COUNT = SMALL_CLASSES + 4 * (31 - SMALL_LIMIT_LOG2) + 1

/** The class of a chunk size (a multiple of 8 or 16). */
export function classOf(size: number): number {
  if (size < SMALL_LIMIT) return size >> 4
  if (size >= LARGE_LIMIT) return CLASS_COUNT - 1
  const log2 = 31 - Math.clz32(size)
  return SMALL_CLASSES + 4 * (log2 - SMALL_LIMIT_LOG2) + ((size >> (log2 - 2)) & 3)
}

/** Sizes [min, max) of a class, in bytes; max is 2^53 for the last. */
export function classRange(index: number): { readonly min: number; readonly max: number } {
  if (index < SMALL_CLASSES) return { min: index << 4, max: (index + 1) << 4 }
  if (index >= CLASS_COUNT - 1) return { min: LARGE_LIMIT, max: Number.MAX_SAFE_INTEGER }
  const log2 = SMALL_LIMIT_LOG2 + ((index - SMALL_CLASSES) >> 2)
  const quarter = (index - SMALL_CLASSES) & 3
  return { min: 2 ** log2 + quarter * 2 ** (log2 - 2), max: 2 ** log2 + (quarter + 1) * 2 ** (log2 - 2) }
}

/** Chunks and bytes by class, as columns. */
export class SizeHistogram {
  readonly chunks = new Float64Array(CLASS_COUNT)
  readonly bytes = new Float64Array(CLASS_COUNT)

  add(size: number): void {
    const index = classOf(size)
    this.chunks[index]!++
    this.bytes[index] = this.bytes[index]! + size
  }

  addAll(other: SizeHistogram): void {
    this.#combine(other, 1)
  }

  /** Takes away what `other` counted. */
  subtract(other: SizeHistogram): void {
    this.#combine(other, -1)
  }

  #combine({ chunks, bytes }: SizeHistogram, sign: 1 | -1): void {
    for (let index = 0; index < CLASS_COUNT; index++) {
      this.chunks[index] = this.chunks[index]! + sign * chunks[index]!
      this.bytes[index] = this.bytes[index]! + sign * bytes[index]!
    }
  }
}
