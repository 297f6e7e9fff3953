// What glibc says of its own heap, both ways of asking, from inside the process; and the totals that it cannot print.
import { freeBytesOf, type MallocInfo, parseMallocInfo } from '../malloc/malloc-info.js'
import { asMallocStatsPrints, type MallocStats, parseMallocStats } from '../malloc/malloc-stats.js'
import type { PauseName } from './plan.js'
import { Refusal } from './refusal.js'
import { type ControlledTarget, type VisitDone, type VisitOptions, visit } from './visit.js'

export interface GlibcFigures {
  /** malloc_info's XML. */
  readonly infoText: string
  readonly info: MallocInfo
  /** What malloc_stats prints to stderr; null when it could not be had, and `statsProblem` says why. */
  readonly statsText: string | null
  readonly stats: MallocStats | null
  readonly statsProblem: string | null
  readonly visit: VisitDone
}

/** Calls malloc_info and malloc_stats in one stop; `look` sees the process as they see it. Throws Refusal, MiError. */
export async function glibcFigures(
  controlled: ControlledTarget,
  options: VisitOptions = {},
  look?: (when: PauseName) => Promise<void>,
): Promise<GlibcFigures> {
  const looks = look ? { look, looks: ['before'] as const } : {}
  const done = await visit(controlled, { calls: ['info', 'stats'], ...looks }, options)
  const { info: infoText, stats: statsText } = done.results
  if (typeof infoText !== 'string') {
    const why = done.errors.info?.why ?? 'its output did not fit into the memory that was mapped for it'
    throw new Refusal('other', `malloc_info gave no answer: ${why}`, 'run again with --debug and report it')
  }
  const stats = typeof statsText === 'string' ? parseMallocStats(statsText) : null
  return {
    infoText,
    info: parseMallocInfo(infoText),
    statsText: statsText ?? null,
    stats,
    statsProblem: stats ? null : (done.errors.stats?.why ?? 'malloc_stats printed nothing that is its own'),
    visit: done,
  }
}

/** Totals of malloc_stats in 64 bits, and what its 32 bits make of them. */
export interface TrueTotals {
  readonly systemBytes: number
  /** Null before glibc 2.31, whose malloc_info does not count top. */
  readonly inUseBytes: number | null
  /** True when a figure that malloc_stats printed is not the true one. */
  readonly wrapped: boolean
}

/** The totals "incl. mmap" from malloc_info, which counts in 64 bits; null before glibc 2.20, which leaves mmap out. */
export function trueTotals(info: MallocInfo): TrueTotals | null {
  if (!info.mmapped) return null
  const { bytes } = info.mmapped
  const known = info.heaps.every(({ topInRest }) => topInRest)
  const used = info.heaps.reduce((sum, heap) => sum + heap.systemBytes - freeBytesOf(heap), bytes)
  const all = [info.systemBytes + bytes, ...info.heaps.map(({ systemBytes }) => systemBytes)]
  return {
    systemBytes: info.systemBytes + bytes,
    inUseBytes: known ? used : null,
    wrapped: all.some((value) => value !== asMallocStatsPrints(value)),
  }
}
