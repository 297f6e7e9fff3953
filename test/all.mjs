// Runs test files, each in a process of its own and two at a time. TAP on stdout.
// usage: node test/all.mjs [FILE...]; without a name every file.
import { readdirSync } from 'node:fs'
import t from 'tap'

const named = process.argv.slice(2)
const files =
  named.length > 0
    ? named
    : readdirSync('test', { recursive: true })
        .filter((name) => /\.test\.tsx?$/.test(name))
        .map((name) => `test/${name}`)
        .sort()
// A guard against what hangs, far above what a busy machine takes.
const timeout = 900_000

t.jobs = 2
t.setTimeout(0)
for (const file of files) {
  const env = { ...process.env, TAP_TIMEOUT: String(timeout / 1000) }
  t.spawn(
    process.execPath,
    ['--import=tsx', '--enable-source-maps', file],
    { env, timeout, buffered: true },
    file,
  )
}
