// Copies of files that gdb cannot be given by a path of this machine: those of a process with another root, deleted ones.
import { closeSync, constants, copyFileSync, fstatSync, mkdirSync, openSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { buildIdOfFile } from '../elf/build-id.js'
import { isNodeError } from '../elf/node-error.js'
import { insideRoot } from '../live/inside-root.js'
import type { Module } from '../target.js'
import { ScratchFolder } from './scratch-folder.js'

/** A module's file under /proc: the process whose view it is. */
const OF_PROCESS = /^\/proc\/(\d+)\//

/**
 * gdb calls a file by what realpath(3) makes of its name. Of /proc/PID/root/… and the kernel's links that is a path in
 * the process's own root, which here is another file, or none; gdb reads that one when it opens the file again.
 */
export class StagedFiles {
  #folder: ScratchFolder | null = null
  readonly #copies = new Map<string, string>()

  /** Where gdb opens `file`, which the target has at `path`: itself, or a copy that is kept until remove(). Throws ErrnoException. */
  pathOf(file: string, path: string): string {
    if (!OF_PROCESS.test(file)) return file
    const known = this.#copies.get(file)
    if (known !== undefined) return known
    const copy = join(this.#root, String(this.#copies.size), basename(path))
    copyRegular(file, copy)
    this.#copies.set(file, copy)
    return copy
  }

  /**
   * A folder for gdb's debug-file-directory that has the module's debug file from the process's own root, by build-id;
   * null when there is none. The file is a copy.
   */
  debugFolderFor({ file, buildId }: Module): string | null {
    const pid = OF_PROCESS.exec(file ?? '')?.[1]
    if (pid === undefined || buildId === null || buildId.length < 4) return null
    const name = join('.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`)
    const found = insideRoot(`/proc/${pid}/root`, join('/usr/lib/debug', name))
    if (found === null || buildIdOfFile(found) !== buildId) return null
    const folder = join(this.#root, 'debug')
    copyRegular(found, join(folder, name))
    return folder
  }

  remove(): void {
    this.#folder?.remove()
    this.#folder = null
    this.#copies.clear()
  }

  get #root(): string {
    this.#folder ??= new ScratchFolder()
    return this.#folder.path
  }
}

/** Copies through a descriptor, so that it is the file that was looked at, and no FIFO that would never end. */
function copyRegular(from: string, to: string): void {
  const fd = openSync(from, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!fstatSync(fd).isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EINVAL' })
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
    copyFileSync(`/proc/self/fd/${fd}`, to, constants.COPYFILE_FICLONE)
  } finally {
    closeSync(fd)
  }
}

/** What a failed copy means to whoever reads the report. */
export function stagingProblem(error: unknown): string {
  if (!isNodeError(error)) throw error
  return `its file could not be copied for gdb (${error.code})`
}
