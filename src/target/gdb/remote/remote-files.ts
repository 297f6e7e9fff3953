// Files of the machine that a stub runs on, copied to a private folder when they are needed.
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type RemoteGdb, StubRefusal } from './remote-gdb.js'

/** A text of /proc: smaps of 65,000 mappings takes 60 MB. */
const MOST_TEXT_BYTES = 128 * 2 ** 20
const MOST_FILE_BYTES = 4 * 2 ** 30

/** What the stub can open, which is with the rights it has. */
export class RemoteFiles {
  readonly #gdb: RemoteGdb
  #count = 0

  constructor(gdb: RemoteGdb) {
    this.#gdb = gdb
  }

  /** The file's bytes, which may be a secret of the target's: nothing is left on disk. Null where it cannot be read. */
  bytes(path: string): Buffer | null {
    const copy = join(this.#gdb.folder.path, `text-${this.#count++}`)
    try {
      return this.#fetch(path, copy, MOST_TEXT_BYTES) ? readFileSync(copy) : null
    } finally {
      rmSync(copy, { force: true })
    }
  }

  text(path: string): string | null {
    return this.bytes(path)?.toString('utf8') ?? null
  }

  /** Copies the file to `to`, below the private folder; false where it cannot be read. */
  copy(path: string, to: string): boolean {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
    return this.#fetch(path, to, MOST_FILE_BYTES)
  }

  /** What a symbolic link says; null where that is not told. */
  link(path: string): string | null {
    try {
      return this.#gdb.ask<{ readonly link: string | null }>({ do: 'link', path }).link
    } catch (error) {
      if (error instanceof StubRefusal) return null
      throw error
    }
  }

  /** A private folder, removed with the connection. */
  folder(name: string): string {
    const path = join(this.#gdb.folder.path, name)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return path
  }

  #fetch(path: string, to: string, most: number): boolean {
    try {
      this.#gdb.ask({ do: 'fetch', path, to, most })
      return true
    } catch (error) {
      if (error instanceof StubRefusal) return false
      throw error
    }
  }
}
