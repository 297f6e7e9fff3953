// Memory that a core may take from mapped files: what the process cannot have changed.
import { closeSync, constants, openSync } from 'node:fs'
import { ELF } from '../elf/elf-header.js'
import { isNodeError } from '../elf/node-error.js'
import type { ProgramHeader } from '../elf/program-headers.js'
import { keyOf } from './address-key.js'
import type { FileMapping } from './file-mappings.js'
import type { CoreModule } from './modules.js'
import { RunTable } from './run-table.js'
import type { Segments } from './segments.js'

interface Run {
  readonly start: number
  readonly end: number
  readonly position: number
  readonly path: string
}

/** Runs of address keys that lie in files on this machine, which are opened when first read. */
export class FileRuns {
  readonly runs: RunTable
  readonly #paths: readonly string[]
  readonly #descriptors = new Map<string, number | null>()

  constructor(list: readonly Run[]) {
    const sorted = [...list].sort((a, b) => a.start - b.start)
    const column = (of: (run: Run) => number) => Float64Array.from(sorted, of)
    this.runs = new RunTable(
      column((r) => r.start),
      column((r) => r.end),
      column((r) => r.position),
    )
    this.#paths = sorted.map((run) => run.path)
  }

  /** The open file of a run; null when it cannot be opened any more. */
  descriptor(run: number): number | null {
    const path = this.#paths[run]!
    let fd = this.#descriptors.get(path)
    if (fd === undefined) {
      fd = open(path)
      this.#descriptors.set(path, fd)
    }
    return fd
  }

  close(): void {
    for (const fd of this.#descriptors.values()) if (fd !== null) closeSync(fd)
    this.#descriptors.clear()
  }
}

/**
 * The parts of modules that may be read from their files: bytes of a PT_LOAD that is not writable (so neither data
 * nor relocated), mapped without write permission, and not saved in full by a core that saves only changed file
 * pages.
 */
export function findFileRuns(
  modules: readonly CoreModule[],
  segments: Segments,
  pageBytes: number,
): FileRuns {
  const onlyChanged = modules.some((m) => m.mappings.some((mapping) => !promisedInFull(mapping, segments)))
  const list: Run[] = []
  for (const module of modules) {
    const { backing, loadBias } = module
    if (!backing || loadBias === null) continue
    const bias = keyOf(BigInt.asUintN(64, loadBias))
    for (const mapping of module.mappings) {
      for (const load of backing.image.loads) {
        const run = overlap(mapping, load, bias, backing.path, backing.sizeBytes)
        if (run) list.push(...unchanged(run, segments, onlyChanged ? pageBytes : Number.POSITIVE_INFINITY))
      }
    }
  }
  return new FileRuns(list)
}

function overlap(
  mapping: FileMapping,
  load: ProgramHeader,
  bias: number,
  path: string,
  fileSize: number,
): Run | null {
  if (load.flags & ELF.PF_W) return null
  const begin = bias + load.virtualAddress
  const start = Math.max(mapping.start, begin)
  const position = mapping.fileOffset + (start - mapping.start)
  if (position !== load.fileOffset + (start - begin)) return null
  const end = Math.min(mapping.end, begin + load.fileBytes, start + (fileSize - position))
  return start < end ? { start, end, position, path } : null
}

/** The parts of `run` outside segments that were writable, or that the core saved as changed pages. */
function unchanged(run: Run, segments: Segments, changedAbove: number): Run[] {
  const { ranges, flags, promised } = segments
  const parts: Run[] = []
  const add = (start: number, end: number) => {
    if (start < end) parts.push({ ...run, start, end, position: run.position + (start - run.start) })
  }
  let at = run.start
  for (let i = ranges.firstEndingAfter(run.start); i < ranges.count && ranges.starts[i]! < run.end; i++) {
    const start = Math.max(at, ranges.starts[i]!)
    const end = Math.min(run.end, ranges.ends[i]!)
    add(at, start)
    const barred = (flags[i]! & ELF.PF_W) !== 0 || promised[i]! > changedAbove
    if (!barred) add(start, end)
    at = end
  }
  add(at, run.end)
  return parts
}

function promisedInFull(mapping: FileMapping, segments: Segments): boolean {
  const index = segments.ranges.find(mapping.start)
  if (index < 0) return false
  return mapping.end <= segments.ranges.starts[index]! + segments.promised[index]!
}

function open(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  }
}
