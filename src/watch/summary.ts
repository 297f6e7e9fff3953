// What a watch saw, as one versioned document: what is written to a file, and what every run ends with.
import type { Facts } from '../findings/facts.js'
import type { Finding } from '../findings/finding.js'
import type { RuleSettings } from '../findings/thresholds.js'
import type { Measured } from '../report/build-report.js'
import { type Grower, topGrowers } from './growers.js'
import type { Extremes, History, Point } from './history.js'
import { rangeOf } from './history.js'
import { watchFindings } from './rules.js'
import type { Sample } from './sample.js'
import type { WatchEnd } from './watch.js'

export const WATCH_SCHEMA = 'arena-inspect-watch/1'

/** Growers of each kind that are told. */
const MOST_GROWERS = 10

export interface WatchTarget {
  readonly pid: number
  readonly label: string
  readonly executable: string | null
  readonly glibcVersion: string | null
}

/** Times are ms since 1970 (UTC); byte counts integers; null is what could not be known. */
export interface WatchSummary {
  readonly schema: typeof WATCH_SCHEMA
  readonly kind: 'summary'
  readonly target: WatchTarget
  /** Null while it goes on. */
  readonly end: WatchEnd | null
  /** As asked for, and the longest interval that sampling was stretched to (null: never). */
  readonly everyMs: number
  readonly stretchedToMs: number | null
  readonly samples: number
  readonly failures: number
  readonly longestSampleMs: number
  readonly first: Sample | null
  readonly last: Sample | null
  /** Over all samples, those thinned out included. */
  readonly extremes: Extremes
  readonly growers: readonly Grower[]
  readonly findings: readonly Finding[]
  /** What they were judged by, where it differs from the defaults; absent where nothing does. */
  readonly rules?: RuleSettings
  /** What sampling could not know, in sentences, of the last sample. */
  readonly problems: readonly string[]
  /** Oldest first; a point stands for `samples` of them. */
  readonly history: readonly Point[]
}

/** What the loop counted. */
export interface Counts {
  readonly everyMs: number
  readonly stretchedToMs: number | null
  readonly failures: number
  readonly longestSampleMs: number
}

/** Findings of a history and the measurement behind its last sample; none before the first. */
export function findingsNow(history: History, now: Facts | null): readonly Finding[] {
  return now ? watchFindings({ points: history.points, now }) : []
}

export function summaryOf(
  target: WatchTarget,
  history: History,
  now: Measured | null,
  counts: Counts,
  end: WatchEnd | null,
): WatchSummary {
  const points = history.points
  const { first, last } = history
  return {
    schema: WATCH_SCHEMA,
    kind: 'summary',
    target,
    end,
    ...counts,
    samples: history.samples,
    first,
    last,
    extremes: points.reduce<Extremes>((all, { extremes }) => joinExtremes(all, extremes), {}),
    growers: first && last ? topGrowers(first, last, MOST_GROWERS) : [],
    findings: findingsNow(history, now),
    ...(now?.rules ? { rules: now.rules } : {}),
    problems: now?.problems ?? [],
    history: points,
  }
}

function joinExtremes(a: Extremes, b: Extremes): Extremes {
  const all: { -readonly [K in keyof Extremes]: Extremes[K] } = { ...a }
  for (const key of Object.keys(b) as (keyof Extremes)[]) {
    const range = rangeOf(all[key], b[key])
    if (range) all[key] = range
  }
  return all
}
