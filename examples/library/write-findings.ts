// The findings of several cores, a line of JSON each; one bad core does not stop the rest.
// usage: node write-findings.js CORE...
import { readReport, TargetError } from 'arena-inspect'

for (const path of process.argv.slice(2)) {
  try {
    const { findings, complete } = await readReport({ kind: 'core', path }, { gdbOnlyInDoubt: true })
    for (const { rule, severity, title, nextStep } of findings)
      console.log(JSON.stringify({ path, complete, rule, severity, title, nextStep }))
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    console.log(JSON.stringify({ path, error: error.message, hint: error.hint }))
  }
}
