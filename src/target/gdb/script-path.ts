// Where the gdb scripts of this package are.
import { ownPath } from './own-files.js'

/** Path of gdb-scripts/`name`; null when it is not there. */
export function scriptPath(name: `arena_inspect${string}.py` = 'arena_inspect.py'): string | null {
  return ownPath(`gdb-scripts/${name}`)
}
