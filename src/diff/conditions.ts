// Conditions for scripts: METRIC>N% or METRIC>SIZE, on how much a figure grew.
import type { Diff, DiffFigure } from './diff.js'
import { METRIC_NAMES, METRICS, type Metric } from './metrics.js'

export interface Condition {
  /** As it was written. */
  readonly text: string
  readonly metric: Metric
  /** It holds where the figure grew by more than this: percent of A, bytes, or a count. */
  readonly above: { readonly percent: number } | { readonly amount: number }
}

/** `unknown` where the figure is not known on both sides. */
export interface Verdict {
  readonly condition: Condition
  readonly holds: boolean | 'unknown'
  readonly figure: DiffFigure
}

/** Null where `text` is no condition; `bytesOf` reads a size (`64M`), null when it is none. */
export function parseCondition(text: string, bytesOf: (size: string) => number | null): Condition | null {
  const [, name, value] = /^\s*([a-z-]+)\s*>\s*(\S+)\s*$/.exec(text) ?? []
  const metric = METRIC_NAMES.find((one) => one === name)
  if (!metric || value === undefined) return null
  const [, percent] = /^(\d{1,9}(?:\.\d{1,6})?)%$/.exec(value) ?? []
  if (percent !== undefined) return { text, metric, above: { percent: Number(percent) } }
  const isCount = METRICS[metric].unit === 'count'
  const amount = isCount ? (/^\d{1,15}$/.test(value) ? Number(value) : null) : bytesOf(value)
  return amount === null ? null : { text, metric, above: { amount } }
}

export function judge({ figures }: Pick<Diff, 'figures'>, condition: Condition): Verdict {
  const figure = figures.find(({ metric }) => metric === condition.metric)!
  return { condition, figure, holds: holds(figure, condition.above) }
}

function holds({ from, grew }: DiffFigure, above: Condition['above']): boolean | 'unknown' {
  if (grew === null || from === null) return 'unknown'
  // From nothing, any growth is more than any percentage.
  return grew > ('amount' in above ? above.amount : (from * above.percent) / 100)
}
