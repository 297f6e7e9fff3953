// ELF files that a process behind a stub maps; the files themselves are fetched when somebody asks for them.
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Address, offset } from '../../../memory/address.js'
import type { MemorySource } from '../../../memory/memory-source.js'
import { buildIdOfFile } from '../../elf/build-id.js'
import { memoryBytes } from '../../elf/byte-source.js'
import { readElfImage } from '../../elf/elf-image.js'
import { type MapsRegion, withoutDeleted } from '../../live/proc-maps.js'
import type { Module } from '../../target.js'
import type { RemoteFiles } from './remote-files.js'

/** What reading modules takes. */
export interface RemoteModuleContext {
  readonly pid: number
  readonly pageBytes: number
  readonly memory: MemorySource
  readonly regions: readonly MapsRegion[]
  readonly executable: string | null
  readonly files: RemoteFiles
  /** Where this machine has the target's files. */
  readonly sysroot: string | null
}

/** Modules by address: mappings of a file's beginning that hold an ELF header and are loaded as an image. */
export function readRemoteModules(context: RemoteModuleContext): Module[] {
  const modules: Module[] = []
  for (const region of context.regions) {
    if (!region.path?.startsWith('/') || region.fileOffset !== 0n || !region.permissions.read) continue
    const module = moduleAt(context, region)
    if (module) modules.push(module)
  }
  return modules
}

function moduleAt(context: RemoteModuleContext, first: MapsRegion): Module | null {
  const image = readElfImage(memoryBytes(context.memory, first.start), 'memory', context.pageBytes)
  if (image === null || image.loads.length === 0) return null
  const end = offset(first.start, image.highest - image.lowest)
  // An image has several mappings of its file, or executes its only one; a file that is read as data has neither.
  const inside = context.regions.filter(
    ({ path, start }) => path === first.path && start >= first.start && start < end,
  )
  if (inside.length < 2 && !first.permissions.execute) return null
  const path = withoutDeleted(first.path!)
  return new RemoteModule(context, {
    path,
    base: first.start,
    loadBias: first.start - BigInt(image.lowest),
    buildId: image.buildId,
    isProgram: path === context.executable,
  })
}

class RemoteModule implements Module {
  readonly path: string
  readonly base: Address
  readonly loadBias: bigint | null
  readonly buildId: string | null
  readonly isProgram: boolean
  readonly #context: RemoteModuleContext
  #found: Pick<Module, 'file' | 'fileProblem'> | null = null

  constructor(context: RemoteModuleContext, facts: Omit<Module, 'file' | 'fileProblem'>) {
    this.#context = context
    this.path = facts.path
    this.base = facts.base
    this.loadBias = facts.loadBias
    this.buildId = facts.buildId
    this.isProgram = facts.isProgram
  }

  get file(): string | null {
    this.#found ??= this.#find()
    return this.#found.file
  }

  get fileProblem(): string | null {
    this.#found ??= this.#find()
    return this.#found.fileProblem
  }

  #find(): Pick<Module, 'file' | 'fileProblem'> {
    const { sysroot, files, pid } = this.#context
    const here = [...(sysroot === null ? [] : [join(sysroot, this.path)]), this.path]
    // Another machine's file under the same path is another file: only a build-id tells that it is not.
    const own = here.find((path) => this.buildId !== null && buildIdOfFile(path) === this.buildId)
    if (own !== undefined) return { file: own, fileProblem: null }
    const copy = join(files.folder(`module-${this.base.toString(16)}`), basename(this.path))
    let problem = 'the stub gives no such file'
    for (const path of [`/proc/${pid}/root${this.path}`, this.path]) {
      if (!files.copy(path, copy)) continue
      if (buildIdOfFile(copy) === this.buildId && existsSync(copy)) return { file: copy, fileProblem: null }
      problem = 'build-id differs: the file was replaced since it was mapped'
    }
    return { file: null, fileProblem: problem }
  }
}
