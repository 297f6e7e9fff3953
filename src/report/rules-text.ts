// By which rules a report was judged, where they are not the defaults, in a line.
import type { RuleSettings } from '../findings/thresholds.js'

/** `arena-bloat.leastArenas=2; switched off: cpu-quota`; empty for the defaults. */
export function rulesText(rules: RuleSettings | undefined): readonly string[] {
  if (!rules) return []
  const set = Object.entries(rules.thresholds).flatMap(([rule, values]) =>
    Object.entries(values).map(([name, value]) => `${rule}.${name}=${value}`),
  )
  const off = rules.off.length > 0 ? [`switched off: ${rules.off.join(', ')}`] : []
  return [[...set, ...off].join('; ')]
}
