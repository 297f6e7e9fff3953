// Where the gdb scripts of this package are.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './package-root.js'

/** Path of gdb-scripts/`name` of the package that `from` belongs to; null when it is not there. */
export function scriptPath(
  from: string = import.meta.url,
  name: `arena_inspect${string}.py` = 'arena_inspect.py',
): string | null {
  const root = packageRoot(from)
  const script = root === null ? null : join(root, 'gdb-scripts', name)
  return script !== null && existsSync(script) ? script : null
}
