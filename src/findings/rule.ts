// A rule: what it is called, what it says of facts, and how it explains itself.
import type { Facts } from './facts.js'
import type { Finding } from './finding.js'

/** The text of `--explain`; numbers in it come from the rule's own constants. */
export interface Explanation {
  readonly measures: string
  readonly how: string
  readonly thresholds: readonly string[]
  /** How an estimate is made and what it assumes, for rules that give one. */
  readonly estimate?: string
  /** What to read further. */
  readonly read: readonly string[]
}

export interface Rule {
  /** Kebab-case; its file has the same name. */
  readonly name: string
  /** Pure; at most one finding. `earlier`: what the rules before it found, so that one cause is told once. */
  check(facts: Facts, earlier: readonly Finding[]): Finding | null
  readonly explanation: Explanation
}

/** The parts of an explanation in the order in which they are read. */
export function explanationParts(
  explanation: Explanation,
): readonly (readonly [string, readonly string[]])[] {
  const { measures, how, thresholds, estimate, read } = explanation
  return [
    ['measures', [measures]],
    ['how', [how]],
    ['from', thresholds],
    ...(estimate ? [['estimate', [estimate]] as const] : []),
    ['read', read],
  ]
}

/** True when one of `rules` has spoken of at least a warning. */
export function isToldBy(earlier: readonly Finding[], ...rules: readonly string[]): boolean {
  return earlier.some(({ rule, severity }) => severity !== 'info' && rules.includes(rule))
}

/** `critical` from `criticalBytes` on, else `warning`; `info` where another finding is the cause. */
export function gradeBytes(bytes: number, criticalBytes: number, isToldAlready = false): Finding['severity'] {
  if (isToldAlready) return 'info'
  return bytes >= criticalBytes ? 'critical' : 'warning'
}
