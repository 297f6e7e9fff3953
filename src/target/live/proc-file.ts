// Reading files of /proc: their size is unknown beforehand, and processes and threads vanish between two reads.
import { closeSync, constants, openSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs'
import { isNodeError } from '../elf/node-error.js'

/** The errno name of a failed system call; anything that is not one is thrown again. */
export function errnoOf(error: unknown): string {
  if (isNodeError(error)) return error.code
  throw error
}

const GONE = new Set(['ENOENT', 'ESRCH'])
const DENIED = new Set(['EACCES', 'EPERM'])

/** True for the errors by which /proc says that the process or thread is no more. */
export function isGone(code: string): boolean {
  return GONE.has(code)
}

/** True for the errors by which /proc says that the caller may not look. */
export function isDenied(code: string): boolean {
  return DENIED.has(code)
}

/** The file's text, or the errno name under which it could not be read. */
export function tryReadText(path: string): { readonly text: string } | { readonly code: string } {
  try {
    return { text: readFileSync(path, 'utf8') }
  } catch (error) {
    return { code: errnoOf(error) }
  }
}

/** The file's text, or null where it cannot be read. */
export function readTextOrNull(path: string): string | null {
  const answer = tryReadText(path)
  return 'text' in answer ? answer.text : null
}

/** The text of a file that others may have made: null also for what is no regular file, which is not opened. */
export function readRegularOrNull(path: string): string | null {
  let fd: number | null = null
  try {
    fd = openRegular(path)
    return fd === null ? null : readFileSync(fd, 'utf8')
  } catch (error) {
    errnoOf(error)
    return null
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

// To open a FIFO would wait for its other end, to open a device may have effects.
function openRegular(path: string): number | null {
  return statSync(path).isFile() ? openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) : null
}

/** What the symbolic link says, or null where it cannot be read. */
export function readLinkOrNull(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch (error) {
    errnoOf(error)
    return null
  }
}

/** The first `length` bytes of a regular file, fewer when it is shorter; null where it is none or cannot be read. */
export function readHeadOrNull(path: string, length: number): Uint8Array | null {
  let fd: number | null = null
  try {
    fd = openRegular(path)
    if (fd === null) return null
    const bytes = new Uint8Array(length)
    return bytes.subarray(0, readSync(fd, bytes, 0, length, 0))
  } catch (error) {
    errnoOf(error)
    return null
  } finally {
    if (fd !== null) closeSync(fd)
  }
}
