// What the TUI needs done outside of it: files written, live processes changed. Whoever runs the TUI provides it.
import type { Report } from '../../report/report.js'
import type { Prepared, Wish } from './dialog.js'

/** Formats that `:export` writes, as `report --format` names them. */
export const EXPORT_FORMATS: readonly string[] = ['text', 'json', 'markdown', 'html']

export interface TuiServices {
  /** Writes the report; a sentence that says what was written. Rejects with why not. */
  exportReport(report: Report, format: string, file: string): Promise<string>
  /** Finds out what granting the wish would do; changes nothing yet. Rejects with why it cannot be granted. */
  prepare(wish: Wish): Promise<Prepared>
}
