// The whole check: types, lint and format, build, then every test. The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Parser } from 'tap-parser'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const BIN = 'node_modules/.bin'
const CHECKS = [
  ['types', `${BIN}/tsc`, ['-p', '.']],
  ['lint and format', `${BIN}/biome`, ['ci', '--colors=off', '.']],
  ['build', process.execPath, ['.ci/build.mjs']],
]

let passed = 0
let failed = 0
for (const [name, command, args] of CHECKS) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  console.log(`${status === 0 ? 'ok' : 'NOT OK'}: ${name}`)
  if (status === 0) passed++
  else failed++
}

const folder = mkdtempSync(join(tmpdir(), 'arena-inspect-results-'))
const output = join(folder, 'results.tap')
const tests = spawnSync(
  `${BIN}/tap`,
  ['--disable-coverage', '--reporter=terse', `--output-file=${output}`, ...process.argv.slice(2)],
  { stdio: ['ignore', 'inherit', 'inherit'] },
)
const counts = countOf(readOr(output, ''))
rmSync(folder, { recursive: true, force: true })
for (const reason of counts.skips) console.log(`skipped: ${reason}`)
passed += counts.passed
failed += counts.failed
if (tests.status !== 0 && counts.failed === 0) failed++
if (counts.passed + counts.failed === 0) failed++
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

// Assertions, the innermost results: a subtest's own line would count them twice.
function countOf(text) {
  const counts = { passed: 0, failed: 0, skips: [] }
  const watch = (parser) => {
    const children = new Set()
    parser.on('child', (child) => {
      children.add(child.name)
      watch(child)
    })
    parser.on('assert', (result) => {
      if (result.skip)
        counts.skips.push(`${result.name}: ${result.skip === true ? 'no reason given' : result.skip}`)
      else if (children.has(result.name) && result.ok) return
      else if (result.ok) counts.passed++
      else counts.failed++
    })
  }
  const parser = new Parser()
  watch(parser)
  parser.end(text)
  return counts
}

function readOr(file, otherwise) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return otherwise
  }
}
