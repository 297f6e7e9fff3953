// The files of this package (gdb scripts, browser scripts, examples): in its folder, or inside the single executable.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isNodeError } from '../elf/node-error.js'
import { packageRoot } from './package-root.js'

/** Names are paths from the package's folder, e.g. `gdb-scripts/arena_inspect.py`. */
export interface OwnFiles {
  /** The text; null when there is no such file. */
  text(name: string): string | null
  /** A path that other programs can read while this process runs; null when there is no such file. */
  path(name: string): string | null
}

let files: OwnFiles = {
  text(name) {
    try {
      return readFileSync(join(packageRoot() ?? '.', name), 'utf8')
    } catch (error) {
      if (isNodeError(error)) return null
      throw error
    }
  },
  path(name) {
    const root = packageRoot()
    const path = root === null ? null : join(root, name)
    return path !== null && existsSync(path) ? path : null
  },
}

/** Where they are from now on; for the single executable, before anything else runs. */
export function provideOwnFiles(other: OwnFiles): void {
  files = other
}

export const ownText = (name: string): string | null => files.text(name)
export const ownPath = (name: string): string | null => files.path(name)
