// Paths of a process that has another root: followed inside that root, never out of it.
import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from './proc-file.js'

/** As many as the kernel follows: path_resolution(7). */
const MAX_LINKS = 40

/**
 * Where `path` leads for a process whose root is `root` (absolute, such as /proc/PID/root; '' for ours), as a path of ours without symbolic
 * links below `root`: an absolute link starts again at `root`, and `..` ends there. Null when nothing is there.
 */
export function insideRoot(root: string, path: string): string | null {
  const todo = namesOf(path)
  const done: string[] = []
  let links = 0
  while (todo.length > 0) {
    const name = todo.shift()!
    if (name === '..') {
      done.pop()
      continue
    }
    const target = linkOrNull(join('/', root, ...done, name))
    if (target === undefined) return null
    if (target === null) {
      done.push(name)
      continue
    }
    if (++links > MAX_LINKS) return null
    if (target.startsWith('/')) done.length = 0
    todo.unshift(...namesOf(target))
  }
  return join('/', root, ...done)
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

/** Text of a symbolic link; null: something else; undefined: nothing there. */
function linkOrNull(path: string): string | null | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch (error) {
    errnoOf(error)
    return undefined
  }
}
