// A watch as JSON: a line a sample, and the summary document.
import type { Sample } from '../../watch/sample.js'
import { WATCH_SCHEMA, type WatchSummary } from '../../watch/summary.js'

/** One sample as a line of NDJSON; `at` repeats `atMs` in ISO 8601, UTC. */
export interface WatchSampleLine extends Sample {
  readonly schema: typeof WATCH_SCHEMA
  readonly kind: 'sample'
  readonly at: string
}

export function watchSampleLine(sample: Sample): string {
  const at = new Date(sample.atMs).toISOString()
  const line: WatchSampleLine = { schema: WATCH_SCHEMA, kind: 'sample', at, ...sample }
  return `${JSON.stringify(line)}\n`
}

/** The summary as the last line of NDJSON; the samples were lines already, so it goes without the history. */
export function watchSummaryLine({ history: _, ...summary }: WatchSummary): string {
  return `${JSON.stringify(summary)}\n`
}

/** The whole document, history included. */
export function watchSummaryJson(summary: WatchSummary): string {
  return `${JSON.stringify(summary, null, 1)}\n`
}
