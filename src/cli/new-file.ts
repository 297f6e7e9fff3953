// A file that is there whole or not at all: written under another name, then renamed; nothing is left when we are ended.
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isNodeError } from '../target/elf/node-error.js'
import { CommandError } from './exit.js'

/** Being written; ends with `finish` or `discard`. */
export class NewFile {
  readonly #draft: string
  readonly #fd: number
  readonly #remove: () => void
  #isOver = false
  bytes = 0

  /** Throws CommandError: it exists and `force` is not given, or it cannot be made. */
  constructor(
    readonly path: string,
    private readonly force: boolean,
  ) {
    if (!force && existsSync(path)) throw exists(path)
    this.#draft = join(dirname(path), `.${basename(path)}.${process.pid}.unfinished`)
    try {
      this.#fd = openSync(this.#draft, 'wx', 0o600)
    } catch (error) {
      throw cannotWrite(path, error)
    }
    this.#remove = () => rmSync(this.#draft, { force: true })
    process.once('exit', this.#remove)
  }

  /** Throws CommandError. */
  append(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done)
      this.bytes += bytes.length
    } catch (error) {
      this.discard()
      throw cannotWrite(this.path, error)
    }
  }

  /** Gives it its name. Throws CommandError. */
  finish(): void {
    try {
      fsyncSync(this.#fd)
      closeSync(this.#fd)
      if (this.force || !this.#link()) renameSync(this.#draft, this.path)
    } catch (error) {
      if (isNodeError(error) && error.code === 'EEXIST') throw exists(this.path)
      throw cannotWrite(this.path, error)
    } finally {
      this.#gone()
    }
  }

  /** Nothing is left of it; nothing to do once it has its name. */
  discard(): void {
    if (this.#isOver) return
    closeSync(this.#fd)
    this.#gone()
  }

  #gone(): void {
    this.#isOver = true
    this.#remove()
    process.off('exit', this.#remove)
  }

  // Refuses what came into being meanwhile, which renaming would replace. False where the file system has no links.
  #link(): boolean {
    try {
      linkSync(this.#draft, this.path)
      return true
    } catch (error) {
      if (isNodeError(error) && error.code !== 'EEXIST') return false
      throw error
    }
  }
}

function exists(path: string): CommandError {
  return new CommandError(`${path} exists already`, 'choose another name, or replace it with --force')
}

function cannotWrite(path: string, error: unknown): unknown {
  if (!isNodeError(error)) return error
  const hint =
    error.code === 'ENOSPC'
      ? 'choose a disk with more room with -o, or leave chunks out with --no-chunks'
      : 'choose another file with -o'
  return new CommandError(`cannot write ${path} (${error.code})`, hint)
}
