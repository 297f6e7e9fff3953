// A core file as a target.
import { closeSync } from 'node:fs'
import { type Address, address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import type { PageRuns } from '../../memory/page-runs.js'
import { type Region, regionAt } from '../../memory/region.js'
import type { Module, ProcessMemoryTotals, Target, Thread } from '../target.js'
import { addressOf, keyOf } from './address-key.js'
import { CoreMemory, SavedMemory } from './core-memory.js'
import { AUXV, type CoreNotes } from './core-notes.js'
import { dataRuns } from './file-holes.js'
import { type FileRuns, findFileRuns } from './file-runs.js'
import { lostStacks } from './lost-stacks.js'
import { type CoreModule, type FileOptions, findModules, MAX_MODULES } from './modules.js'
import { otherBuilds } from './other-builds.js'
import type { RecognisedCore } from './recognise.js'
import { findRegions } from './regions.js'
import type { RunTable } from './run-table.js'
import { savedPages } from './saved-pages.js'
import { type Segments, savedRuns } from './segments.js'
import { unsavedHeaps } from './unsaved-heaps.js'

/** What openCore has read. */
export interface CoreParts {
  readonly path: string
  readonly core: RecognisedCore
  readonly segments: Segments
  readonly notes: CoreNotes
  readonly problems: readonly string[]
  readonly options: FileOptions & { readonly onClose?: () => void; readonly unpacked?: boolean }
}

const MAX_PATH = 4096

/** Made by openCore, which documents it; owns the file descriptors. */
export class CoreTarget implements Target {
  readonly kind = 'core'
  readonly label: string
  readonly pid: number | null
  readonly executable: string | null
  readonly wordBytes: 8 | 4
  readonly machine: Target['machine']
  readonly pageBytes: number
  readonly signal: number | null
  readonly memory: MemorySource
  readonly problems: readonly string[]
  readonly notes: readonly string[]
  readonly #parts: CoreParts
  readonly #modules: readonly CoreModule[]
  readonly #threads: readonly Thread[]
  #regions: readonly Region[] | null = null
  #fileRuns: FileRuns | null = null
  #data: { readonly runs: RunTable | null } | null = null
  #closed = false

  constructor(parts: CoreParts) {
    const { core, notes, segments, options } = parts
    this.#parts = parts
    this.label = parts.path
    this.pid = notes.pid
    this.wordBytes = core.layout.wordBytes
    this.machine = core.layout.machine
    this.pageBytes = pageBytes(notes.auxv.get(AUXV.PAGESZ))
    this.signal = notes.signal
    this.#threads = threadsOf(notes)
    const saved = new SavedMemory(core.fd, savedRuns(segments), (key) => this.#missing(key))
    this.#modules = findModules(notes, saved, segments, this.pageBytes, options)
    this.memory = new CoreMemory(saved, () => {
      this.#fileRuns ??= findFileRuns(this.#modules, segments, this.pageBytes)
      return this.#fileRuns
    })
    const program = this.#modules.find((module) => module.isProgram)
    this.executable = program?.path ?? executableName(notes, saved)
    this.problems = [
      ...parts.problems,
      ...given(unsavedHeaps(segments, notes)),
      ...given(lostStacks(this.#threads, saved, this.machine)),
      ...programProblems(program, options),
      ...given(
        this.#modules.length === MAX_MODULES
          ? `only the first ${MAX_MODULES} mapped ELF files are considered`
          : null,
      ),
    ]
    this.notes = otherBuilds(this.#modules)
  }

  regions(): readonly Region[] {
    const { notes, segments } = this.#parts
    this.#regions ??= findRegions(segments, {
      files: notes.files,
      modules: this.#modules,
      pageBytes: this.pageBytes,
      vdso: notes.auxv.get(AUXV.SYSINFO_EHDR) ?? null,
      stack: notes.auxv.get(AUXV.EXECFN) ?? this.#mainStackPointer(),
    })
    return this.#regions
  }

  threads(): readonly Thread[] {
    return this.#threads
  }

  modules(): readonly Module[] {
    return this.#modules
  }

  residentBytes(start: Address, end: Address): number | null {
    const pages = this.#isUnsavedFile(start, end) ? null : this.residentPages(start, end)
    return pages ? pages.bytesIn(pages.start, pages.end) : null
  }

  residentPages(start: Address, end: Address): PageRuns | null {
    const { core, options, segments } = this.#parts
    this.#data ??= { runs: options.unpacked ? null : dataRuns(core.fd) }
    const { runs } = this.#data
    // The range that ends with the address space would end at key 0.
    return runs && savedPages(segments, runs, keyOf(start), keyOf(offset(end, -1)) + 1)
  }

  mappingUses(): readonly [] {
    return []
  }

  memoryTotals(): ProcessMemoryTotals | null {
    let sum = 0
    for (const { start, end } of this.regions()) {
      const pages = this.residentPages(start, end)
      if (!pages) return null
      sum += pages.bytesIn(pages.start, pages.end)
    }
    return { rssBytes: sum, swapBytes: null }
  }

  surroundings(): null {
    return null
  }

  refresh(): void {}

  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#parts.core.fd)
    this.#fileRuns?.close()
    this.#parts.options.onClose?.()
  }

  // The kernel saves no clean page of a file (coredump_filter): whether it was in RAM is unknown.
  #isUnsavedFile(start: Address, end: Address): boolean {
    const region = regionAt(this.regions(), start)
    if (!region?.path?.startsWith('/')) return false
    const { ranges, promised } = this.#parts.segments
    const index = ranges.find(keyOf(start))
    return index < 0 || promised[index]! < ranges.ends[index]! - ranges.starts[index]! || end > region.end
  }

  #mainStackPointer(): bigint | null {
    return this.#threads.find((thread) => thread.tid === this.pid)?.stackPointer ?? null
  }

  #missing(key: number): { detail: string | null } | null {
    const { segments } = this.#parts
    const index = segments.ranges.find(key)
    if (index >= 0 && key - segments.ranges.starts[index]! < segments.promised[index]!) {
      return { detail: 'the core file is truncated' }
    }
    const region = Number.isNaN(key) ? null : regionAt(this.regions(), addressOf(key))
    if (!region) return null
    if (!region.path || region.path.startsWith('[')) return { detail: null }
    const module = this.#modules.find((m) =>
      m.mappings.some((mapping) => key >= mapping.start && key < mapping.end),
    )
    return { detail: `mapped from ${region.path}${module?.fileProblem ? `, ${module.fileProblem}` : ''}` }
  }
}

function given(sentence: string | null): readonly string[] {
  return sentence === null ? [] : [sentence]
}

function pageBytes(inAuxv: bigint | undefined): number {
  const bytes = Number(inAuxv ?? 4096n)
  return [4096, 16384, 65536].includes(bytes) ? bytes : 4096
}

function threadsOf(notes: CoreNotes): readonly Thread[] {
  return notes.threads.map((thread) => ({
    tid: thread.tid,
    name: thread.tid === notes.pid ? notes.name : null,
    stackPointer: thread.stackPointer,
    threadPointer: thread.threadPointer,
  }))
}

function executableName(notes: CoreNotes, memory: MemorySource): string | null {
  const at = notes.auxv.get(AUXV.EXECFN)
  if (at !== undefined) {
    const bytes = new Uint8Array(MAX_PATH)
    const text = bytes.subarray(0, memory.read(address(at), bytes))
    const end = text.indexOf(0)
    if (end > 0) return new TextDecoder().decode(text.subarray(0, end))
  }
  return notes.commandLine?.split(' ')[0] ?? notes.name
}

function programProblems(program: CoreModule | undefined, options: FileOptions): string[] {
  if (options.program === undefined) return []
  if (!program) return [`${options.program} is not used: the core does not say where its program was mapped`]
  return program.refused ? [program.refused] : []
}
