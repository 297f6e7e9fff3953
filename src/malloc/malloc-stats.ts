// The text that malloc_stats() prints, read back; its figures are modulo 2^32, which is glibc's doing.

/** malloc_stats counts in `unsigned int`: every figure but `max mmap bytes` is the true one modulo 2^32. */
export const MALLOC_STATS_MODULUS = 2 ** 32

export interface MallocStats {
  /** Ring order. */
  readonly arenas: readonly { readonly systemBytes: number; readonly inUseBytes: number }[]
  readonly totalSystemBytes: number
  readonly totalInUseBytes: number
  readonly maxMmapRegions: number
  readonly maxMmapBytes: number
}

/** Parses malloc_stats' text; null when it is not whole. */
export function parseMallocStats(text: string): MallocStats | null {
  const arenas = [...text.matchAll(/^Arena \d+:\nsystem bytes {5}= +(\d+)\nin use bytes {5}= +(\d+)$/gm)].map(
    ([, system, inUse]) => ({ systemBytes: Number(system), inUseBytes: Number(inUse) }),
  )
  const total =
    /^Total \(incl\. mmap\):\nsystem bytes {5}= +(\d+)\nin use bytes {5}= +(\d+)\nmax mmap regions = +(\d+)\nmax mmap bytes {3}= +(\d+)$/m.exec(
      text,
    )
  if (!total || arenas.length === 0) return null
  const [totalSystemBytes, totalInUseBytes, maxMmapRegions, maxMmapBytes] = total.slice(1).map(Number)
  return {
    arenas,
    totalSystemBytes: totalSystemBytes!,
    totalInUseBytes: totalInUseBytes!,
    maxMmapRegions: maxMmapRegions!,
    maxMmapBytes: maxMmapBytes!,
  }
}

/** What malloc_stats prints for a true byte count. */
export function asMallocStatsPrints(bytes: number): number {
  return bytes % MALLOC_STATS_MODULUS
}
