// Where the gdb script of this package is, however the code was bundled.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Path of gdb-scripts/arena_inspect.py of the package this code belongs to; null when it is not there. */
export function scriptPath(from: string = import.meta.url): string | null {
  for (let folder = dirname(fileURLToPath(from)); ; folder = dirname(folder)) {
    if (isPackage(join(folder, 'package.json'))) {
      const script = join(folder, 'gdb-scripts', 'arena_inspect.py')
      return existsSync(script) ? script : null
    }
    if (folder === dirname(folder)) return null
  }
}

function isPackage(manifest: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name === 'arena-inspect'
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined) return false
    throw error
  }
}
