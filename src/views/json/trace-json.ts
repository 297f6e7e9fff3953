// A trace as JSON: the document itself.
import type { Trace } from '../../trace/trace.js'

export function renderTraceJson(trace: Trace): string {
  return `${JSON.stringify(trace)}\n`
}
