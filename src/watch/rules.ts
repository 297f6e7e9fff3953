// The rules over time, in the order in which their findings are told when equally severe.
import type { Finding } from '../findings/finding.js'
import { ask, reaches } from '../findings/rules.js'
import { arenaCountRising } from './rules/arena-count-rising.js'
import { retentionGrowth } from './rules/retention-growth.js'
import { steadyGrowthRule } from './rules/steady-growth.js'
import type { WatchFacts, WatchRule } from './watch-rule.js'

/** A rule sees what those before it found. */
export const WATCH_RULES: readonly WatchRule[] = [retentionGrowth, steadyGrowthRule, arenaCountRising]

/** What all rules find, gravest first. */
export function watchFindings(facts: WatchFacts): readonly Finding[] {
  const found: Finding[] = []
  for (const rule of WATCH_RULES) {
    const finding = ask(rule, facts, found, facts.now.rules)
    if (finding) found.push(finding)
  }
  return (['critical', 'warning', 'info'] as const).flatMap((severity) =>
    found.filter((finding) => reaches(finding.severity, severity) && reaches(severity, finding.severity)),
  )
}
