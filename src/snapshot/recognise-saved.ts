// Is this file a snapshot or a saved report? By its first bytes, whatever its name is.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { gunzipSync, constants as zlib } from 'node:zlib'
import { isNodeError } from '../target/elf/node-error.js'

/** A file that arena-inspect wrote. */
export interface SavedFile {
  readonly what: 'snapshot' | 'report'
  /** As text of gzip. */
  readonly isPacked: boolean
}

const HEAD_BYTES = 1024
// Deflate makes no more than 1032 bytes of one.
const MOST_UNPACKED = 2 << 20

/** Null for all other files, and for those that cannot be read: who opens them then says why. */
export function recogniseSaved(path: string): SavedFile | null {
  try {
    // A FIFO would wait for its writer.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      if (!fstatSync(fd).isFile()) return null
      const head = new Uint8Array(HEAD_BYTES)
      return recogniseHead(head.subarray(0, readSync(fd, head, 0, head.length, 0)))
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  }
}

/** The same of a file's first bytes. */
export function recogniseHead(head: Uint8Array): SavedFile | null {
  const isPacked = head[0] === 0x1f && head[1] === 0x8b
  const text = isPacked ? unpackedHead(head) : Buffer.from(head).toString('latin1')
  if (text === null) return null
  if (/^\{"schema":"arena-inspect-snapshot\//.test(text)) return { what: 'snapshot', isPacked }
  return /^(?:\u00ef\u00bb\u00bf)?\s*\{\s*"/.test(text) ? { what: 'report', isPacked } : null
}

function unpackedHead(head: Uint8Array): string | null {
  try {
    const options = { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: MOST_UNPACKED }
    return gunzipSync(head, options).toString('latin1')
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  }
}
