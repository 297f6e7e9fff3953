// Where the gdb script of this package is.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './package-root.js'

/** Path of gdb-scripts/arena_inspect.py of the package that `from` belongs to; null when it is not there. */
export function scriptPath(from: string = import.meta.url): string | null {
  const root = packageRoot(from)
  const script = root === null ? null : join(root, 'gdb-scripts', 'arena_inspect.py')
  return script !== null && existsSync(script) ? script : null
}
