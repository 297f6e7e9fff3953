// One figure of a history over time.
import type { LedgerLine } from '../maps/ledger.js'
import { EXTREMES, type ExtremeFigure, type Point } from './history.js'
import type { Sample } from './sample.js'

/** A known value; where its point stands for several samples, the least and the most of them. */
export interface Value {
  readonly atMs: number
  readonly value: number
  readonly least: number
  readonly most: number
}

/** What a figure is read from. */
export type Figure = ExtremeFigure | LedgerLine | 'rssAndSwapBytes'

/** Known values only, oldest first: what is unknown is no value, least of all zero. */
export function seriesOf(points: readonly Point[], figure: Figure): readonly Value[] {
  return points.flatMap((point) => {
    const value = figureOf(point.sample, figure)
    if (value === null) return []
    const extremes = isExtreme(figure) ? point.extremes[figure] : undefined
    const [least, most] = extremes ?? [value, value]
    return { atMs: point.sample.atMs, value, least, most }
  })
}

/** The figure of one sample; null where unknown. */
export function figureOf(sample: Sample, figure: Figure): number | null {
  if (figure === 'rssAndSwapBytes') {
    return sample.rssBytes === null ? null : sample.rssBytes + (sample.swapBytes ?? 0)
  }
  if (isExtreme(figure)) return sample[figure]
  if (!sample.categories) return null
  const bytes = sample.categories[figure]
  return bytes === undefined ? 0 : bytes
}

function isExtreme(figure: Figure): figure is ExtremeFigure {
  return (EXTREMES as readonly string[]).includes(figure)
}
