// Makes gdb take a core's libraries from where they are on this machine, and no wrong build of any.
import { symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Module } from '../target.js'
import { ScratchFolder } from './scratch-folder.js'

/** A folder of links, by base name, to the files that are the core's own. */
export interface LibraryFolder {
  /** gdb's arguments; they come before the program and the core, whose paths must be absolute. */
  readonly args: readonly string[]
  remove(): void
}

/**
 * Null when every library lies where the core says: then gdb finds them by itself. Else gdb is given links and nothing
 * else: a libc of another build at the core's path would be loaded with no more than a warning, `auto-solib-add off`
 * or not (gdb always wants the library of threads), and name wrong addresses.
 */
export function libraryFolder(modules: readonly Module[]): LibraryFolder | null {
  const libraries = modules.filter((module) => !module.isProgram && module.path.startsWith('/'))
  if (libraries.every((module) => module.file === module.path)) return null
  const folder = new ScratchFolder()
  const taken = new Set<string>()
  for (const { path, file } of libraries) {
    const name = basename(path)
    if (file === null || taken.has(name)) continue
    taken.add(name)
    symlinkSync(file, join(folder.path, name))
  }
  const settings = [`set sysroot ${join(folder.path, 'nothing')}`, `set solib-search-path ${folder.path}`]
  return {
    // gdb also looks below its working directory, so that must not be the root.
    args: [`--cd=${folder.path}`, ...settings.flatMap((setting) => ['-iex', setting])],
    remove: () => folder.remove(),
  }
}
