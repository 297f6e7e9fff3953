// Our figures held against what glibc says of itself, number by number.
import { freeBytesOf, freeChunksOf, type MallocInfo, type MallocInfoHeap } from './malloc-info.js'
import { asMallocStatsPrints, type MallocStats } from './malloc-stats.js'

/** One number that is not the same. */
export interface Difference {
  /** e.g. `arena 3: free bytes`, `mmapped chunks`, `malloc_stats' total: in use bytes`. */
  readonly what: string
  /** Null: we do not know it. */
  readonly ours: number | null
  readonly glibcs: number
}

/** One arena's figures that glibc prints too; optional ones are compared where they are. */
export interface ArenaFigures {
  readonly systemBytes: number | null
  readonly maxSystemBytes?: number | null
  readonly inUseBytes: number | null
  readonly freeBytes: number | null
  readonly fastbinBytes: number | null
  readonly topBytes: number | null
  readonly freeChunks: number | null
}

/** What both a HeapModel and a report's heap are; arenas in ring order. */
export interface MallocFigures {
  readonly arenas: readonly ArenaFigures[]
  readonly mmapped: {
    readonly count: number | null
    readonly bytes: number | null
    readonly maxBytes?: number | null
  }
  readonly totals: { readonly systemBytes: number | null; readonly inUseBytes: number | null }
}

/**
 * Every number of `info` and, when it is given, of `stats` that is not ours; empty when all agree. All three must be
 * of one moment. Arenas are compared by their position in the ring; `malloc_stats` modulo 2^32, as it prints. What
 * malloc_info did not print (top before 2.31, mmapped chunks before 2.20) is not compared.
 */
export function verifyAgainst(ours: MallocFigures, info: MallocInfo, stats?: MallocStats): Difference[] {
  const differences: Difference[] = []
  const compare = (what: string, mine: number | null, glibcs: number): void => {
    if (mine !== glibcs) differences.push({ what, ours: mine, glibcs })
  }
  compare('arenas', ours.arenas.length, info.heaps.length)
  for (const [index, heap] of info.heaps.entries()) {
    const arena = ours.arenas[index]
    if (arena) compareArena(`arena ${index}`, arena, heap, compare)
  }
  compare('all arenas: system bytes', ours.totals.systemBytes, info.systemBytes)
  if (info.mmapped) {
    compare('mmapped chunks', ours.mmapped.count, info.mmapped.count)
    compare('mmapped bytes', ours.mmapped.bytes, info.mmapped.bytes)
  }
  if (stats) compareStats(ours, stats, compare)
  return differences
}

type Compare = (what: string, ours: number | null, glibcs: number) => void

function compareArena(name: string, arena: ArenaFigures, heap: MallocInfoHeap, compare: Compare): void {
  compare(`${name}: system bytes`, arena.systemBytes, heap.systemBytes)
  if (arena.maxSystemBytes !== undefined) {
    compare(`${name}: max system bytes`, arena.maxSystemBytes, heap.maxSystemBytes)
  }
  compare(`${name}: fastbin bytes`, arena.fastbinBytes, heap.fastBytes)
  compare(`${name}: free chunks`, arena.freeChunks, freeChunksOf(heap))
  // glibc did not tell the size of top: ours stands in for it, so that the rest is still compared.
  const free = freeBytesOf(heap, arena.topBytes ?? 0)
  compare(`${name}: free bytes`, arena.freeBytes, free)
  compare(`${name}: in use bytes`, arena.inUseBytes, heap.systemBytes - free)
}

function compareStats(ours: MallocFigures, stats: MallocStats, compare: Compare): void {
  const printed = (...parts: (number | null)[]): number | null =>
    parts.reduce<number | null>(
      (sum, part) => (sum === null || part === null ? null : asMallocStatsPrints(sum + part)),
      0,
    )
  compare("malloc_stats' arenas", ours.arenas.length, stats.arenas.length)
  for (const [index, glibcs] of stats.arenas.entries()) {
    const arena = ours.arenas[index]
    if (!arena) continue
    compare(`malloc_stats' arena ${index}: system bytes`, printed(arena.systemBytes), glibcs.systemBytes)
    compare(`malloc_stats' arena ${index}: in use bytes`, printed(arena.inUseBytes), glibcs.inUseBytes)
  }
  const { mmapped, totals } = ours
  compare(
    "malloc_stats' total: system bytes",
    printed(totals.systemBytes, mmapped.bytes),
    stats.totalSystemBytes,
  )
  compare(
    "malloc_stats' total: in use bytes",
    printed(totals.inUseBytes, mmapped.bytes),
    stats.totalInUseBytes,
  )
  if (mmapped.maxBytes !== undefined) {
    compare("malloc_stats' max mmap bytes", mmapped.maxBytes, stats.maxMmapBytes)
  }
}
