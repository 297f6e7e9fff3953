// The suites that could be fetched, and why the others could not.
import t from 'tap'
import { fetchedSuites } from './glibcs.js'

// Fetching comes first on a machine that has nothing yet.

const suites = await fetchedSuites()
const failed = suites.filter((suite) => suite.failed !== undefined)
for (const suite of suites) {
  const name = `glibc ${suite.release} of ${suite.suite}`
  // Without the mirror nothing can be done; a mirror that answers must give at least the packages of one suite.
  if (suite.failed === undefined) t.pass(`${name}: ${suite.version}`)
  else if (failed.length < suites.length || suite.stage === 'index') t.pass(name, { skip: suite.failed })
  else t.fail(`${name}: ${suite.failed}`)
}
