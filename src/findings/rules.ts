// The rules, in the order in which their findings are told when equally severe.
import type { Facts } from './facts.js'
import type { Finding, Severity } from './finding.js'
import { arenaBloat } from './rules/arena-bloat.js'
import { mallocStatsOverflow } from './rules/malloc-stats-overflow.js'
import { otherAllocator } from './rules/other-allocator.js'

/** A rule looks at the facts and says at most one thing. Pure. */
export type Rule = (facts: Facts) => Finding | null

export const RULES: readonly Rule[] = [arenaBloat, mallocStatsOverflow, otherAllocator]

const WEIGHT: Record<Severity, number> = { critical: 2, warning: 1, info: 0 }

/** True when `severity` is at least `least`. */
export function reaches(severity: Severity, least: Severity): boolean {
  return WEIGHT[severity] >= WEIGHT[least]
}

/** What all rules find, gravest first. */
export function findingsOf(facts: Facts): readonly Finding[] {
  return RULES.flatMap((rule) => rule(facts) ?? []).sort((a, b) => WEIGHT[b.severity] - WEIGHT[a.severity])
}
