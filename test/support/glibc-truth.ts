// What glibc says of its own heap, to hold a report against, number by number.
import { readFileSync } from 'node:fs'
import { freeBytesOf, freeChunksOf, parseMallocInfo } from '../../src/malloc/malloc-info.js'
import { asMallocStatsPrints, parseMallocStats } from '../../src/malloc/malloc-stats.js'
import { type Difference, type MallocFigures, verifyAgainst } from '../../src/malloc/verify.js'
import type { Report } from '../../src/report/report.js'

/** The figures that malloc_info and malloc_stats print, from files with these names. */
export interface Truth {
  readonly arenas: readonly {
    readonly systemBytes: number
    readonly inUseBytes: number
    readonly freeBytes: number
    readonly fastbinBytes: number
    readonly freeChunks: number
  }[]
  readonly mmapped: { readonly count: number; readonly bytes: number } | null
  readonly printed: {
    readonly arenas: readonly { readonly systemBytes: number; readonly inUseBytes: number }[]
    readonly systemBytes: number
    readonly inUseBytes: number
  }
}

/** Where figures of ours are not those of the process's own malloc_info and malloc_stats, which wrote these files. */
export function differencesFrom(ours: MallocFigures, infoFile: string, statsFile: string): Difference[] {
  const stats = parseMallocStats(readFileSync(statsFile, 'utf8'))
  if (!stats) throw new Error(`${statsFile} is not malloc_stats' output`)
  return verifyAgainst(ours, parseMallocInfo(readFileSync(infoFile, 'utf8')), stats)
}

/** Reads both files; throws when one is not whole. */
export function glibcTruth(infoFile: string, statsFile: string): Truth {
  const info = parseMallocInfo(readFileSync(infoFile, 'utf8'))
  const stats = parseMallocStats(readFileSync(statsFile, 'utf8'))
  if (!stats) throw new Error(`${statsFile} is not malloc_stats' output`)
  return {
    arenas: info.heaps.map((heap) => ({
      systemBytes: heap.systemBytes,
      inUseBytes: heap.systemBytes - freeBytesOf(heap),
      freeBytes: freeBytesOf(heap),
      fastbinBytes: heap.fastBytes,
      freeChunks: freeChunksOf(heap),
    })),
    mmapped: info.mmapped,
    printed: {
      arenas: stats.arenas,
      systemBytes: stats.totalSystemBytes,
      inUseBytes: stats.totalInUseBytes,
    },
  }
}

/** The heap without what only a live process tells: the names of threads but the first. */
export function withoutNames(heap: Report['heap']): Report['heap'] {
  return heap && { ...heap, threads: heap.threads.map((thread) => ({ ...thread, name: null })) }
}

/** The same figures as our report has them. */
export function asTruth(report: Report): Truth {
  const heap = report.heap!
  const known = (value: number | null): number => {
    if (value === null) throw new Error('a figure of the report is unknown')
    return value
  }
  const mmapped = known(heap.mmapped.bytes)
  return {
    arenas: heap.arenas.map((arena) => ({
      systemBytes: known(arena.systemBytes),
      inUseBytes: known(arena.inUseBytes),
      freeBytes: known(arena.freeBytes),
      fastbinBytes: known(arena.fastbinBytes),
      freeChunks: known(arena.freeChunks),
    })),
    mmapped: { count: known(heap.mmapped.count), bytes: mmapped },
    printed: {
      arenas: heap.arenas.map((arena) => ({
        systemBytes: asMallocStatsPrints(known(arena.systemBytes)),
        inUseBytes: asMallocStatsPrints(known(arena.inUseBytes)),
      })),
      systemBytes: asMallocStatsPrints(known(heap.totals.systemBytes) + mmapped),
      inUseBytes: asMallocStatsPrints(known(heap.totals.inUseBytes) + mmapped),
    },
  }
}
