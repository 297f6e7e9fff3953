// Thresholds as data: what a rule asks for before it speaks, with defaults, and what a user set instead.

import { durationText } from '../format/durations.js'
import { bytesText } from '../format/sizes.js'

/** Bytes, counts, percent and milliseconds; names end in the unit (`leastFreeBytes`), counts in what is counted. */
export type ThresholdUnit = 'bytes' | 'count' | 'percent' | 'milliseconds'

export interface Threshold {
  /** The default. */
  readonly value: number
  readonly unit: ThresholdUnit
  /** What happens from this value on, or below it. */
  readonly meaning: string
}

/** Of one rule, by name. */
export type Thresholds = Readonly<Record<string, Threshold>>

/** The values in force of one rule's thresholds. */
export type LimitsOf<T extends Thresholds> = { readonly [Name in keyof T]: number }

/** What differs from the defaults. */
export interface RuleSettings {
  /** By rule, then by threshold. */
  readonly thresholds: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Rules that are not asked. */
  readonly off: readonly string[]
}

/** The values in force of the thresholds of `rule`. */
export function limitsOf<T extends Thresholds>(
  rule: { readonly name: string; readonly thresholds: T },
  settings: RuleSettings | null | undefined,
): LimitsOf<T> {
  const defaults = Object.entries(rule.thresholds).map(([name, { value }]) => [name, value])
  return { ...Object.fromEntries(defaults), ...settings?.thresholds[rule.name] } as LimitsOf<T>
}

/** `64.0 MiB`, `25 %`, `24 h`, `8`. */
export function quantityText(value: number, unit: ThresholdUnit): string {
  if (unit === 'bytes') return bytesText(value)
  if (unit === 'milliseconds') return durationText(value)
  return unit === 'percent' ? `${value} %` : String(value)
}
