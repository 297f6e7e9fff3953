// What a batch is to read: the files of a folder, or the paths of a list.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { CommandError, UsageError } from '../exit.js'

export interface BatchInputs {
  /** Absolute, each once. */
  readonly paths: readonly string[]
  /** Of a folder: what is no core there is skipped. */
  readonly isFolder: boolean
}

/** `where` is a folder, a file with a path a line, or `-` for such lines on stdin; `except` is left out. */
export function batchInputs(where: string, except: string | null): BatchInputs {
  if (where !== '-' && isFolder(where)) {
    return { paths: [...filesIn(resolve(where), except)].sort(), isFolder: true }
  }
  let text: string
  try {
    if (where !== '-' && beginsWithElf(where)) {
      throw new UsageError(`${where} is no list but an ELF file`, `one core: arena-inspect report ${where}`)
    }
    text = readFileSync(where === '-' ? 0 : where, 'utf8')
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new CommandError(
      `cannot read ${where} (${String(error.code)})`,
      'give a folder, a file with a path a line, or -',
    )
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return { paths: [...new Set(lines.map((line) => resolve(line)))], isFolder: false }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function* filesIn(folder: string, except: string | null): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (path === except) continue
    if (entry.isDirectory()) yield* filesIn(path, except)
    else if (entry.isFile() || (entry.isSymbolicLink() && !isFolder(path))) yield path
  }
}

/** By its name or its first bytes, a file that should have been a core. */
export function claimsToBeCore(path: string): boolean {
  return /(^|[._-])core([._-]|$)/i.test(basename(path)) || beginsWithElf(path)
}

function beginsWithElf(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(4)
    return readSync(fd, head, 0, 4, 0) === 4 && head.equals(Buffer.from('\x7fELF', 'latin1'))
  } finally {
    closeSync(fd)
  }
}
