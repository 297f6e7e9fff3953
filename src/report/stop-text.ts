// How long a process stood still for a report, in words.
import type { ReportStop } from './report.js'

/** `stood still 12 ms`, `… in 3 stops`; empty for one that was not stopped. */
export function stopText(stop: ReportStop | null): readonly string[] {
  if (stop === null) return []
  const time = `stood still ${Math.max(1, Math.round(stop.stoodStillMs))} ms`
  return [stop.stops > 1 ? `${time} in ${stop.stops} stops` : time]
}
