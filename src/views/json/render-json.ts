// A Report as JSON: the document itself, indented, with a newline at the end.
import type { Report } from '../../report/report.js'

export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`
}
