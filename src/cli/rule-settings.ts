// Thresholds and rule names as users write them, on the command line or in a file, checked against the rules that exist.
import { RULES } from '../findings/rules.js'
import type { Threshold, ThresholdUnit } from '../findings/thresholds.js'
import { WATCH_RULES } from '../watch/rules.js'
import { byteCount, wholeNumber } from './byte-count.js'
import { durationMs } from './duration.js'
import { UsageError } from './exit.js'
import { didYouMean } from './suggest.js'

/** The rules of reports and of watches. */
export const ALL_RULES = [...RULES, ...WATCH_RULES]
const NAMES = ALL_RULES.map(({ name }) => name)

/** `RULE.NAME` of every threshold that can be set. */
export const ALL_THRESHOLDS: ReadonlyMap<string, Threshold> = new Map(
  ALL_RULES.flatMap(({ name, thresholds }) =>
    Object.entries(thresholds).map(([of, threshold]) => [`${name}.${of}`, threshold] as const),
  ),
)

/** The rule called `name`; throws UsageError with the nearest name, and `where` it was written. */
export function ruleNamed(name: string, where: string): (typeof ALL_RULES)[number] {
  const rule = ALL_RULES.find((one) => one.name === name)
  if (rule) return rule
  throw new UsageError(
    `${where}: no rule is called ${JSON.stringify(name)}`,
    `${didYouMean(name, NAMES)}rules: ${NAMES.join(', ')}`,
  )
}

/** What `RULE.NAME` and its value set. Throws UsageError. */
export function thresholdOf(
  key: string,
  value: string | number,
  where: string,
): { readonly rule: string; readonly name: string; readonly value: number } {
  const [rule = '', name = ''] = key.split('.', 2)
  const threshold = ALL_THRESHOLDS.get(key)
  if (!threshold) {
    const own = Object.keys(ruleNamed(rule, where).thresholds)
    throw new UsageError(
      `${where}: the rule ${rule} has no threshold ${JSON.stringify(name)}`,
      own.length === 0
        ? 'it has none that can be set'
        : `${didYouMean(name, own)}it has ${own.join(', ')} (--explain ${rule})`,
    )
  }
  return { rule, name, value: quantityOf(value, threshold.unit, `${where}: ${key}`) }
}

function quantityOf(value: string | number, unit: ThresholdUnit, where: string): number {
  if (typeof value === 'number') {
    if (value >= 0 && Number.isFinite(value) && (unit === 'percent' || Number.isSafeInteger(value)))
      return value
    throw new UsageError(`${where} takes no ${value}`, `give ${unit}, 0 or more`)
  }
  if (unit === 'bytes') return byteCount(value, where)
  if (unit === 'milliseconds') return durationMs(value, where)
  if (unit === 'count') return wholeNumber(value, where)
  if (/^\d+(\.\d+)? ?%?$/.test(value)) return Number.parseFloat(value)
  throw new UsageError(`${where} takes percent, not ${JSON.stringify(value)}`, 'e.g. 25 or 12.5%')
}
