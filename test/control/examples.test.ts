// malloc_trim(0) in every example program: what is predicted against what RSS loses.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { predictTrim, trim } from '../../src/control/trim.js'
import { openControlled } from '../support/control-page.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'

// The kernel may take or give a page of a file meanwhile.
const SLACK_BYTES = 64 << 10
const MOST_PERCENT = 2
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  'arena-bloat': ['16', '15', '1', 'log:16:4096', join(scratch(), 'out')],
}
// malloc_trim walks lists that are broken there, and glibc ends the process.
const UNTOUCHED = new Set(['corruption'])

for (const file of readdirSync(join(ROOT, 'examples/programs')).filter((name) => name.endsWith('.c'))) {
  const name = file.slice(0, -2)
  if (UNTOUCHED.has(name)) continue
  t.test(name, async (t) => {
    const running = await start(compile(`examples/programs/${file}`), ARGUMENTS[name])
    const opened = await openControlled(running.pid)
    const { process: whole } = await trim(opened, predictTrim(opened.malloc.model))
    await opened.close()
    await running.kill()
    const { predictedBytes, returnedBytes } = whole
    const text = `predicted ${predictedBytes}, returned ${returnedBytes}`
    t.comment(text)
    const most = Math.max(SLACK_BYTES, ((returnedBytes ?? 0) * MOST_PERCENT) / 100)
    t.ok(
      predictedBytes !== null && returnedBytes !== null && Math.abs(predictedBytes - returnedBytes) <= most,
      text,
    )
  })
}
