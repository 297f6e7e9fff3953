// A rule over time: what it looks at, and how it explains itself.
import type { Facts } from '../findings/facts.js'
import type { Finding } from '../findings/finding.js'
import type { Explanation } from '../findings/rule.js'
import type { Point } from './history.js'

/** What was seen up to now, and the whole measurement behind the last sample. */
export interface WatchFacts {
  /** Oldest first. */
  readonly points: readonly Point[]
  readonly now: Facts
}

export interface WatchRule {
  /** Kebab-case; its file has the same name. */
  readonly name: string
  /** Pure; at most one finding. `earlier`: what the rules before it found. */
  check(facts: WatchFacts, earlier: readonly Finding[]): Finding | null
  readonly explanation: Explanation
}
