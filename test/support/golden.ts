// Text compared with a file under test/golden/; UPDATE_GOLDEN=1 writes the file instead.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { ROOT } from './programs.js'

/** Fails with a diff when `text` is not what `test/golden/<name>` holds. */
export function matchGolden(t: Test, name: string, text: string): void {
  const file = join(ROOT, 'test/golden', name)
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  if (!existsSync(file)) t.fail(`${name} is missing: run with UPDATE_GOLDEN=1 and look at it`)
  else t.equal(text, readFileSync(file, 'utf8'), `as in test/golden/${name}`)
}
