// Whether there is a gdb to start, without starting it.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { gdbNotFound } from './gdb-process.js'
import type { MiError } from './mi-error.js'

/** The error that starting `gdbPath` would give because there is no such file; null when there is one. */
export function missingGdb(gdbPath = 'gdb'): MiError | null {
  const folders = gdbPath.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter)
  const isThere = folders.some((folder) => {
    try {
      accessSync(join(folder, gdbPath), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  return isThere ? null : gdbNotFound(gdbPath, '')
}
