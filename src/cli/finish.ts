// How a reading command ends: what was partial is said, and the exit code follows from options and findings.
import { writeFileSync } from 'node:fs'
import type { Severity } from '../findings/finding.js'
import { reaches } from '../findings/rules.js'
import type { Report } from '../report/report.js'
import { CommandError, EXIT, type ExitCode } from './exit.js'
import { say } from './terminal.js'

/** One line on stderr when something is missing; the report itself has all of it. Silent when nothing is. */
export function sayWhatIsMissing(report: Report): void {
  const anomalies = report.heap?.anomalies ?? []
  const notes = [...report.problems, ...anomalies.map(({ what }) => what)]
  const [first] = notes
  if (first === undefined) return
  const more = notes.length > 1 ? ` (and ${notes.length - 1} more in the report)` : ''
  say(`${report.complete ? 'note' : 'the report is partial'}: ${first}${more}`)
}

/** 3 when a finding reaches `failOn`, 4 for a partial report under --strict, else 0. */
export function exitCodeOf(report: Report, failOn: Severity | null, strict: boolean): ExitCode {
  if (failOn && report.findings.some(({ severity }) => reaches(severity, failOn))) return EXIT.finding
  return strict && !report.complete ? EXIT.partial : EXIT.done
}

/** Writes the document of `--json`, which says its schema. */
export function outputJson(document: { readonly schema: string }): void {
  output(`${JSON.stringify(document, null, 2)}\n`)
}

/** Writes a command's output to `file`, or to stdout. Throws CommandError. */
export function output(text: string, file?: string): void {
  if (file === undefined) {
    process.stdout.write(text)
    return
  }
  try {
    writeFileSync(file, text)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new CommandError(`cannot write ${file} (${String(error.code)})`, 'choose another file with -o')
  }
}
