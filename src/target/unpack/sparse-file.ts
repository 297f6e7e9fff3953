// A file without a name, private to this process and gone with it, whose zero blocks take no room.
import {
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BLOCK_BYTES = 4096
const ZEROS = new Uint8Array(BLOCK_BYTES)

/** Written from start to end, then read through `path` until `close`. */
export class SparseFile {
  /** Where the room is taken from. */
  readonly folder = tmpdir()
  readonly #fd: number
  #length = 0

  /** Throws the system's error when the folder cannot be written to. */
  constructor() {
    const own = mkdtempSync(join(this.folder, 'arena-inspect-unpacked-'))
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
      this.#fd = openSync(join(own, 'core'), flags, 0o600)
      fchmodSync(this.#fd, 0o600)
    } finally {
      // The open file stays; no end of this process, not even SIGKILL, leaves it behind.
      rmSync(own, { recursive: true, force: true })
    }
  }

  /** Opens the file in this process and in those it starts. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.#fd}`
  }

  get length(): number {
    return this.#length
  }

  /** Bytes that may still be written in the folder; null when the system does not say. */
  freeBytes(): number | null {
    const { bavail, bsize } = statfsSync(this.folder)
    return bsize > 0 ? bavail * bsize : null
  }

  /** Appends; blocks of zeros become holes. Throws the system's error, ENOSPC when the disk is full. */
  append(bytes: Uint8Array): void {
    let from = 0
    let at = 0
    while (at < bytes.length) {
      const end = Math.min(bytes.length, at + BLOCK_BYTES - ((this.#length + at) % BLOCK_BYTES))
      if (isZero(bytes.subarray(at, end))) {
        this.#write(bytes, from, at)
        from = end
      }
      at = end
    }
    this.#write(bytes, from, at)
    this.#length += bytes.length
  }

  /** Gives the file its full length, where it ends in zeros. */
  finish(): void {
    ftruncateSync(this.#fd, this.#length)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #write(bytes: Uint8Array, from: number, end: number): void {
    for (let at = from; at < end; ) at += writeSync(this.#fd, bytes, at, end - at, this.#length + at)
  }
}

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, bytes.length === BLOCK_BYTES ? ZEROS : ZEROS.subarray(0, bytes.length)) === 0
}
