// The whole check: types, lint and format, build, then every test. The last line is `N passed, N failed`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Parser } from 'tap-parser'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const BIN = 'node_modules/.bin'
const CHECKS = [
  ['types', `${BIN}/tsc`, ['-p', '.']],
  ['types of what runs in browsers', `${BIN}/tsc`, ['-p', 'src/views/html/browser']],
  ['lint and format', `${BIN}/biome`, ['ci', '--colors=off', '.']],
  ['build', process.execPath, ['.ci/build.mjs']],
]

let passed = 0
let failed = 0
const outcomes = CHECKS.map(([name, command, args]) => [name, check(command, args)])
for (const [name, outcome] of outcomes) {
  const { status, output } = await outcome
  process.stdout.write(output)
  console.log(`${status === 0 ? 'ok' : 'NOT OK'}: ${name}`)
  if (status === 0) passed++
  else failed++
}

// tap's own reporters draw for a terminal; here each file is told as it ends, and each failure with its diagnosis.
const counts = { passed: 0, failed: 0 }
const tests = spawn(process.execPath, ['test/all.mjs', ...process.argv.slice(2)], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const parser = new Parser()
watch(parser, [])
tests.stdout.pipe(parser)
const [status] = await once(tests, 'close')
passed += counts.passed
failed += counts.failed
if (status !== 0 && counts.failed === 0) failed++
if (counts.passed + counts.failed === 0) failed++
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function check(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const [status] = await once(child, 'close')
  return { status, output }
}

// Counts assertions, the innermost results: a subtest's own line would count them twice.
function watch(parser, path) {
  const children = new Map()
  parser.on('child', (child) => {
    const name = child.name.replace(/^Subtest: /, '')
    children.set(name, child)
    watch(child, [...path, name])
  })
  parser.on('assert', (result) => {
    const name = [...path, result.name].join(' > ')
    if (result.skip)
      console.log(`skipped: ${name}: ${result.skip === true ? 'no reason given' : result.skip}`)
    else if (children.has(result.name)) {
      if (path.length === 0)
        console.log(`${result.ok ? 'ok' : 'NOT OK'}: ${result.name} (${(result.time / 1000).toFixed(1)} s)`)
      // A subtest that failed without a failing assertion: a broken plan, a timeout.
      if (!result.ok && children.get(result.name).results?.fail === 0) fail(name, result)
    } else if (result.ok) counts.passed++
    else fail(name, result)
  })
}

function fail(name, { diag }) {
  counts.failed++
  console.log(`NOT OK: ${name}\n${JSON.stringify(diag ?? {}, null, 2)}`)
}
