// The bundled scripts that go into HTML files.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../target/gdb/package-root.js'
import { CommandError } from './exit.js'

/** Text of `dist/browser/NAME.js`. Throws CommandError where the package was not built. */
export function browserScript(name: string): string {
  const path = join(packageRoot() ?? '.', 'dist', 'browser', `${name}.js`)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new CommandError(`${path} is missing`, 'npm run build makes it; or install the package again')
  }
}
