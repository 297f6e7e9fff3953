// The bundled scripts that go into HTML files.
import { ownText } from '../target/gdb/own-files.js'
import { CommandError } from './exit.js'

/** Text of `dist/browser/NAME.js`. Throws CommandError where the package was not built. */
export function browserScript(name: string): string {
  const path = `dist/browser/${name}.js`
  const text = ownText(path)
  if (text === null)
    throw new CommandError(
      `${path} of this package is missing`,
      'npm run build makes it; or install the package again',
    )
  return text
}
