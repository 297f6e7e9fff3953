// A rule: what it is called, what it says of facts, and how it explains itself.
import type { Facts } from './facts.js'
import type { Finding } from './finding.js'
import { type LimitsOf, limitsOf, quantityText, type RuleSettings, type Thresholds } from './thresholds.js'

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

/** A rule over facts `F`, with thresholds that a user can set. */
export interface RuleOver<F> {
  /** Kebab-case; its file has the same name. */
  readonly name: string
  readonly thresholds: Thresholds
  /**
   * Pure; at most one finding. `earlier`: what the rules before it found, so that one cause is told once.
   * `limits`: the values of its thresholds, see `limitsOf`.
   */
  check(facts: F, earlier: readonly Finding[], limits: Limits): Finding | null
  explain(limits: Limits): Explanation
}

export type Limits = Readonly<Record<string, number>>
export type Rule = RuleOver<Facts>

/** The rule, its thresholds known by their names to its own `check` and `explain`. */
export function defineRule<F, T extends Thresholds>(rule: {
  readonly name: string
  readonly thresholds: T
  check(facts: F, earlier: readonly Finding[], limits: LimitsOf<T>): Finding | null
  explain(limits: LimitsOf<T>): Explanation
}): RuleOver<F> {
  return rule as RuleOver<F>
}

/** The parts of a rule's explanation in the order in which they are read, by the thresholds in force. */
export function explanationParts(
  rule: Pick<RuleOver<never>, 'name' | 'thresholds' | 'explain'>,
  settings?: RuleSettings,
): readonly (readonly [string, readonly string[]])[] {
  const { measures, how, thresholds, estimate, read } = rule.explain(limitsOf(rule, settings))
  return [
    ['measures', [measures]],
    ['how', [how]],
    ['from', thresholds],
    ...(estimate ? [['estimate', [estimate]] as const] : []),
    ['read', read],
  ]
}

/** A line for each threshold that can be set: name, value in force, what it does. */
export function thresholdLines(
  rule: Pick<RuleOver<never>, 'name' | 'thresholds'>,
  settings?: RuleSettings,
): readonly string[] {
  const limits: Limits = limitsOf(rule, settings)
  return Object.entries(rule.thresholds).map(([name, { value, unit, meaning }]) => {
    const inForce = limits[name]!
    const was = inForce === value ? '' : `, by default ${quantityText(value, unit)}`
    return `${name}=${quantityText(inForce, unit)}${was}: ${meaning}`
  })
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
