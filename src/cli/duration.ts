// Lengths of time on the command line: 200ms, 10s, 5m, 1h, 2d, 1h30m.
import { UsageError } from './exit.js'

const FACTORS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `text`, above zero; throws UsageError naming the option. */
export function durationMs(text: string, option: string): number {
  let total = 0
  if (/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
      total += Number(count) * FACTORS[unit!]!
    }
  }
  if (total > 0 && Number.isSafeInteger(Math.round(total))) return Math.round(total)
  throw new UsageError(`${option} takes a time, not ${JSON.stringify(text)}`, 'e.g. 200ms, 10s, 5m, 1h, 2d')
}
