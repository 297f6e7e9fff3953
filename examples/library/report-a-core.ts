// The report of a core: the verdict, and where malloc's memory is.
// usage: node report-a-core.js CORE
import { readReport, TargetError } from 'arena-inspect'

try {
  const report = await readReport({ kind: 'core', path: process.argv[2] ?? 'core' })
  for (const { severity, title } of report.findings) console.log(`${severity}: ${title}`)
  // What could not be known is null, never 0.
  const totals = report.heap?.totals
  if (totals) console.log(`in use ${totals.inUseBytes} of ${totals.systemBytes} bytes`)
  for (const problem of report.problems) console.error(problem)
} catch (error) {
  if (!(error instanceof TargetError)) throw error
  console.error(`${error.message}; ${error.hint}`)
  process.exitCode = 1
}
