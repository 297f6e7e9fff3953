// Offsets of glibc's malloc structures as data, and the classes they fall into by version.

export type WordBytes = 8 | 4

/** struct malloc_state. A null offset: the member does not exist in that glibc. */
export interface ArenaLayout {
  readonly flags: number
  readonly fastbins: number | null
  readonly fastbinCount: number
  readonly top: number
  readonly bins: number
  readonly next: number
  readonly attachedThreads: number | null
  readonly systemMem: number
  readonly maxSystemMem: number
  readonly sizeBytes: number
}

/** struct _heap_info. */
export interface HeapInfoLayout {
  readonly arena: number
  readonly prev: number
  readonly size: number
  readonly mprotectSize: number
  readonly sizeBytes: number
}

/** struct malloc_par (`mp_`). */
export interface MallocParLayout {
  readonly nMmaps: number
  readonly mmappedMem: number
  readonly maxMmappedMem: number
  readonly sbrkBase: number
  readonly hugePageBytes: number | null
  readonly sizeBytes: number
}

export interface GlibcLayout {
  readonly wordBytes: WordBytes
  readonly arena: ArenaLayout
  readonly heapInfo: HeapInfoLayout
  readonly par: MallocParLayout
  /** MALLOC_ALIGNMENT. */
  readonly chunkAlign: number
  /** Fastbin links are stored as (address >> 12) ^ target (safe-linking, ≥ 2.32); null: to be told from memory. */
  readonly safeLinking: boolean | null
}

/** Bins of an arena: 127 (fd, bk) pairs; bin i ≥ 1 has its header at &bins[2(i−1)] − 2 words. */
export const BIN_COUNT = 127

/** chunk size word: flag bits below the size. */
export const PREV_INUSE = 1
export const IS_MMAPPED = 2
export const NON_MAIN_ARENA = 4

/** glibc's minor version: 36 for "2.36"; null when the text is not a 2.x version. */
export function minorVersion(version: string | null): number | null {
  const match = version === null ? null : /^2\.(\d{1,3})/.exec(version)
  return match ? Number(match[1]) : null
}

/**
 * malloc_state from where its bins are: in every glibc from 2.17 to 2.44 the members after and before `bins`
 * keep their distance to it. `attached`: the member attached_threads exists (≥ 2.23).
 */
export function arenaLayout(bins: number, attached: boolean, word: WordBytes): ArenaLayout {
  const next = bins + 2 * BIN_COUNT * word + 16
  const top = bins - 2 * word
  const fastbins = top === 8 ? null : fastbinsOffset(top, word)
  const systemMem = next + (attached ? 3 : 2) * word
  return {
    flags: 4,
    fastbins,
    fastbinCount: fastbins === null ? 0 : Math.floor((top - fastbins) / word),
    top,
    bins,
    next,
    attachedThreads: attached ? next + 2 * word : null,
    systemMem,
    maxSystemMem: systemMem + word,
    sizeBytes: systemMem + 2 * word,
  }
}

// 64 bit: fastbinsY[10] always. 32 bit: [10] before 2.26 (at 8), [11] from 2.26 (at 8, after have_fastchunks at 0xc).
function fastbinsOffset(top: number, word: WordBytes): number {
  if (word === 8) return top - 10 * word
  return top === 0x30 ? 8 : top - 11 * word
}

/** Offset of `bins` in malloc_state by glibc 2.`minor`. */
export function binsOffset(minor: number, word: WordBytes): number {
  if (minor >= 43) return word === 8 ? 0x18 : 0x10
  if (minor >= 27) return word === 8 ? 0x70 : 0x40
  if (word === 8) return 0x68
  return minor === 26 ? 0x3c : 0x38
}

function heapInfoLayout(minor: number, word: WordBytes): HeapInfoLayout {
  const sizeBytes = word === 8 ? (minor >= 35 ? 0x30 : 0x20) : minor >= 26 ? 0x18 : 0x10
  return { arena: 0, prev: word, size: 2 * word, mprotectSize: 3 * word, sizeBytes }
}

// [first minor version, n_mmaps, mmapped_mem, sbrk_base, hp_pagesize, sizeof] for 64 bit, then for 32 bit.
const PAR_64 = [
  [44, 0x44, 0x58, 0x68, 0x38, 0x88],
  [43, 0x44, 0x58, 0x68, 0x38, 0x90],
  [35, 0x3c, 0x50, 0x60, 0x30, 0x88],
  [26, 0x28, 0x38, 0x48, null, 0x70],
  [24, 0x28, 0x38, 0x48, null, 0x50],
  [0, 0x28, 0x38, 0x50, null, 0x58],
] as const
const PAR_32 = [
  [44, 0x24, 0x34, 0x3c, 0x1c, 0x4c],
  [43, 0x24, 0x34, 0x3c, 0x1c, 0x50],
  [35, 0x20, 0x30, 0x38, 0x18, 0x4c],
  [26, 0x14, 0x24, 0x2c, null, 0x40],
  [24, 0x14, 0x24, 0x2c, null, 0x30],
  [0, 0x14, 0x24, 0x30, null, 0x34],
] as const

function mallocParLayout(minor: number, word: WordBytes): MallocParLayout {
  const [, nMmaps, mmappedMem, sbrkBase, hugePageBytes, sizeBytes] = (word === 8 ? PAR_64 : PAR_32).find(
    (row) => minor >= row[0],
  )!
  return { nMmaps, mmappedMem, maxMmappedMem: mmappedMem + word, sbrkBase, hugePageBytes, sizeBytes }
}

/** The layout of upstream glibc 2.`minor`; a distribution's backports may differ, so confirm it in memory. */
export function layoutOfVersion(minor: number, word: WordBytes): GlibcLayout {
  return {
    wordBytes: word,
    arena: arenaLayout(binsOffset(minor, word), minor >= 23, word),
    heapInfo: heapInfoLayout(minor, word),
    par: mallocParLayout(minor, word),
    chunkAlign: word === 8 || minor >= 26 ? 16 : 8,
    safeLinking: minor >= 32,
  }
}
