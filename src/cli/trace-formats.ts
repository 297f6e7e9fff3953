// The formats that a trace is shown in.
import type { Trace } from '../trace/trace.js'
import { renderTraceHtml } from '../views/html/trace-page.js'
import { renderTraceJson } from '../views/json/trace-json.js'
import { renderTraceSpeedscope } from '../views/json/trace-speedscope.js'
import { renderTraceFolded } from '../views/text/trace-folded.js'
import { renderTraceText } from '../views/text/trace-text.js'
import { browserScript } from './browser-script.js'

const RENDERERS = {
  text: renderTraceText,
  json: renderTraceJson,
  folded: renderTraceFolded,
  speedscope: renderTraceSpeedscope,
  html: (trace) => renderTraceHtml(trace, browserScript('flame')),
} as const satisfies Record<string, (trace: Trace) => string>

export type TraceFormat = keyof typeof RENDERERS

export const TRACE_FORMATS = Object.keys(RENDERERS) as readonly TraceFormat[]

/** `trace` as a file of that format. Throws CommandError where a package is not built (html). */
export function renderTrace(trace: Trace, format: TraceFormat): string {
  return RENDERERS[format](trace)
}
