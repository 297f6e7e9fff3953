// The rules, in the order in which their findings are told when equally severe.
import type { Facts } from './facts.js'
import type { Finding, Severity } from './finding.js'
import type { Rule, RuleOver } from './rule.js'
import { anonymousDominates } from './rules/anonymous-dominates.js'
import { arenaBloat } from './rules/arena-bloat.js'
import { corruption } from './rules/corruption.js'
import { cpuQuota } from './rules/cpu-quota.js'
import { executableHeap } from './rules/executable-heap.js'
import { idleArenas } from './rules/idle-arenas.js'
import { largeTop } from './rules/large-top.js'
import { mallocStatsOverflow } from './rules/malloc-stats-overflow.js'
import { memoryIsFine } from './rules/memory-is-fine.js'
import { mmappedNearLimit } from './rules/mmapped-near-limit.js'
import { otherAllocator } from './rules/other-allocator.js'
import { pinnedFragmentation } from './rules/pinned-fragmentation.js'
import { sizeClassDominates } from './rules/size-class-dominates.js'
import { tcacheHoarding } from './rules/tcache-hoarding.js'
import { threadStacks } from './rules/thread-stacks.js'
import { trimmableFree } from './rules/trimmable-free.js'
import { limitsOf, type RuleSettings } from './thresholds.js'

/** A rule sees what those before it found; memory-is-fine is the last. */
export const RULES: readonly Rule[] = [
  corruption,
  arenaBloat,
  idleArenas,
  pinnedFragmentation,
  trimmableFree,
  largeTop,
  tcacheHoarding,
  mmappedNearLimit,
  threadStacks,
  cpuQuota,
  executableHeap,
  mallocStatsOverflow,
  anonymousDominates,
  otherAllocator,
  sizeClassDominates,
  memoryIsFine,
]

const WEIGHT: Record<Severity, number> = { critical: 2, warning: 1, info: 0 }

/** True when `severity` is at least `least`. */
export function reaches(severity: Severity, least: Severity): boolean {
  return WEIGHT[severity] >= WEIGHT[least]
}

/** What `rule` says under the user's settings; null where it is switched off. */
export function ask<F>(
  rule: RuleOver<F>,
  facts: F,
  earlier: readonly Finding[],
  settings: RuleSettings | undefined,
): Finding | null {
  if (settings?.off.includes(rule.name)) return null
  return rule.check(facts, earlier, limitsOf(rule, settings))
}

/** What all rules find, gravest first. */
export function findingsOf(facts: Facts): readonly Finding[] {
  const found: Finding[] = []
  for (const rule of RULES) {
    const finding = ask(rule, facts, found, facts.rules)
    if (finding) found.push(finding)
  }
  return found.sort((a, b) => WEIGHT[b.severity] - WEIGHT[a.severity])
}
