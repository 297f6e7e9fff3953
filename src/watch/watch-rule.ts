// A rule over time: what it looks at, and how it explains itself.
import type { Facts } from '../findings/facts.js'
import type { RuleOver } from '../findings/rule.js'
import type { Point } from './history.js'

/** What was seen up to now, and the whole measurement behind the last sample. */
export interface WatchFacts {
  /** Oldest first. */
  readonly points: readonly Point[]
  readonly now: Facts
}

export type WatchRule = RuleOver<WatchFacts>
