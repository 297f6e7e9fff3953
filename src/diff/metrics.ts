// The figures that a diff begins with, by the names that --fail-on knows.
import type { Report } from '../report/report.js'

interface MetricOf {
  readonly unit: 'bytes' | 'count'
  /** For people. */
  readonly title: string
  readonly of: (report: Report) => number | null
}

const virtualBytes = ({ maps }: Report) =>
  maps.categories.reduce((sum, category) => sum + category.virtualBytes, 0)

/** In the order of the table. */
export const METRIC_NAMES = [
  'rss',
  'virtual',
  'threads',
  'arenas',
  'system',
  'in-use',
  'live',
  'live-chunks',
  'tcache',
  'free',
  'bins',
  'top',
  'mmapped',
] as const

export type Metric = (typeof METRIC_NAMES)[number]

export const METRICS: Readonly<Record<Metric, MetricOf>> = {
  rss: {
    unit: 'bytes',
    title: 'resident (of a core: saved)',
    of: ({ ledger }) => ledger?.totalBytes ?? null,
  },
  virtual: { unit: 'bytes', title: 'address space', of: virtualBytes },
  threads: { unit: 'count', title: 'threads', of: ({ target }) => target.threads },
  arenas: { unit: 'count', title: 'arenas', of: (report) => arenaCount(report) },
  system: {
    unit: 'bytes',
    title: 'system bytes of all arenas',
    of: ({ heap }) => heap?.totals.systemBytes ?? null,
  },
  'in-use': { unit: 'bytes', title: 'in use', of: ({ heap }) => heap?.totals.inUseBytes ?? null },
  live: { unit: 'bytes', title: 'in use: live', of: ({ heap }) => heap?.totals.liveBytes ?? null },
  'live-chunks': { unit: 'count', title: 'live chunks', of: ({ heap }) => heap?.totals.usedChunks ?? null },
  tcache: { unit: 'bytes', title: 'in use: tcache', of: ({ heap }) => heap?.totals.tcacheBytes ?? null },
  free: { unit: 'bytes', title: 'free, kept by malloc', of: ({ heap }) => heap?.totals.freeBytes ?? null },
  bins: { unit: 'bytes', title: 'free: bins', of: ({ heap }) => heap?.totals.binnedBytes ?? null },
  top: { unit: 'bytes', title: 'free: top', of: ({ heap }) => heap?.totals.topBytes ?? null },
  mmapped: { unit: 'bytes', title: 'mmapped chunks', of: ({ heap }) => heap?.mmapped.bytes ?? null },
}

/** How many arenas there are; null where there may be more than were seen. */
export function arenaCount({ heap }: Report): number | null {
  return heap && allArenasSeen(heap) ? heap.arenas.length : null
}

/** False where the ring was broken: then the sum is unknown although each arena's figure is known. */
export function allArenasSeen(heap: NonNullable<Report['heap']>): boolean {
  return heap.totals.systemBytes !== null || heap.arenas.some(({ systemBytes }) => systemBytes === null)
}
