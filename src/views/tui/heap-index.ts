// Which arena's heap an address is in, by the report alone: cheap enough for every word on the screen.
import type { Report } from '../../report/report.js'

/** One heap: [start, end). */
export interface Span {
  readonly start: bigint
  readonly end: bigint
  readonly arenaIndex: number
}

const INDEXES = new WeakMap<Report, readonly Span[]>()

function spansOf(report: Report): readonly Span[] {
  const known = INDEXES.get(report)
  if (known) return known
  const spans = (report.heap?.arenas ?? []).flatMap((arena) =>
    arena.heaps.map(({ address, sizeBytes }) => {
      const start = BigInt(address)
      return { start, end: start + BigInt(sizeBytes), arenaIndex: arena.index }
    }),
  )
  spans.sort((a, b) => (a.start < b.start ? -1 : 1))
  INDEXES.set(report, spans)
  return spans
}

/** The heap that `at` is in, or null. */
export function heapHolding(report: Report, at: bigint): Span | null {
  const spans = spansOf(report)
  let low = 0
  let high = spans.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const span = spans[middle]!
    if (at < span.start) high = middle - 1
    else if (at >= span.end) low = middle + 1
    else return span
  }
  return null
}

/** Index of the arena that has `at` in one of its heaps, or null. */
export function arenaHolding(report: Report, at: bigint): number | null {
  return heapHolding(report, at)?.arenaIndex ?? null
}
