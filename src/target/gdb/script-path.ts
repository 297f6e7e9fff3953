// Where the gdb scripts of this package are.
import { TargetError } from '../target.js'
import { ownPath } from './own-files.js'

type ScriptName = `arena_inspect${string}.py`

/** Path of gdb-scripts/`name`; null when it is not there. */
export function scriptPath(name: ScriptName): string | null {
  return ownPath(`gdb-scripts/${name}`)
}

/** What makes gdb load gdb-scripts/`names` in this order. Throws TargetError. */
export function scriptArguments(names: readonly ScriptName[]): string[] {
  return names.flatMap((name) => {
    const path = scriptPath(name)
    if (path === null) throw new TargetError('gdb-scripts of this package are missing', 'install it again')
    return ['-x', path]
  })
}
