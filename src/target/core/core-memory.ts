// The memory of a core: bytes from the core file, then from mapped files that are known to be the same.
import { readSync } from 'node:fs'
import type { Address } from '../../memory/address.js'
import { MemoryFault } from '../../memory/memory-fault.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { isNodeError } from '../elf/node-error.js'
import { addressOf, keyOf } from './address-key.js'
import type { FileRuns } from './file-runs.js'
import type { RunTable } from './run-table.js'

/** Says what lies at an address whose bytes are missing: a detail for the message, or null when nothing is mapped. */
export type ExplainMissing = (key: number) => { readonly detail: string | null } | null

const MAX_READ = 2 ** 30

/** Bytes that the core file itself holds. */
export class SavedMemory implements MemorySource {
  constructor(
    readonly fd: number,
    readonly runs: RunTable,
    readonly explain: ExplainMissing,
  ) {}

  read(address: Address, into: Uint8Array): number {
    const key = keyOf(address)
    let done = 0
    while (done < into.length) {
      const got = this.readRun(key + done, into, done)
      if (got === 0) break
      done += got
    }
    return done
  }

  fault(address: Address): MemoryFault {
    const key = keyOf(address)
    if (this.runs.find(key) >= 0) return new MemoryFault(address, 'io')
    const missing = this.explain(key)
    if (!missing) return new MemoryFault(address, 'unmapped')
    return new MemoryFault(address, 'unsaved', missing.detail ?? undefined)
  }

  /** Bytes read at `key` from one run; 0 when no run holds it. */
  protected readRun(key: number, into: Uint8Array, done: number): number {
    const run = this.runs.find(key)
    return run < 0 ? 0 : readRange(this.fd, this.runs, run, key, into, done)
  }
}

/** Bytes of the core file, completed from the files of `fileRuns`, which is asked only when the core lacks a byte. */
export class CoreMemory extends SavedMemory {
  #files: FileRuns | null = null

  constructor(
    saved: SavedMemory,
    readonly fileRuns: () => FileRuns,
  ) {
    super(saved.fd, saved.runs, saved.explain)
  }

  override fault(address: Address): MemoryFault {
    const key = keyOf(address)
    const inFile = this.#files?.runs.find(key) ?? -1
    return inFile >= 0 ? new MemoryFault(addressOf(key), 'io') : super.fault(address)
  }

  protected override readRun(key: number, into: Uint8Array, done: number): number {
    const run = this.runs.find(key)
    if (run >= 0) return readRange(this.fd, this.runs, run, key, into, done)
    this.#files ??= this.fileRuns()
    const { runs } = this.#files
    const fileRun = runs.find(key)
    if (fileRun < 0) return 0
    const fd = this.#files.descriptor(fileRun)
    return fd === null ? 0 : readRange(fd, runs, fileRun, key, into, done)
  }
}

function readRange(
  fd: number,
  runs: RunTable,
  run: number,
  key: number,
  into: Uint8Array,
  done: number,
): number {
  const length = Math.min(into.length - done, runs.ends[run]! - key, MAX_READ)
  try {
    return readSync(fd, into, done, length, runs.positions[run]! + (key - runs.starts[run]!))
  } catch (error) {
    if (isNodeError(error) && error.code !== 'EBADF') return 0
    throw error
  }
}
