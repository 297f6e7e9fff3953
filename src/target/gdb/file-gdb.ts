// gdb's knowledge of the target's files: it opens them as files, moved to where the target has them; it never sees
// the process.
import { gdbVersion } from '../../mi/commands.js'
import type { GdbSession } from '../../mi/gdb-session.js'
import { MiError } from '../../mi/mi-error.js'
import { cliQuote } from '../../mi/quote.js'
import type { Module, Target } from '../target.js'
import type { GdbOptions } from './gdb-options.js'
import { LazyGdb } from './lazy-gdb.js'
import { mallocModule } from './malloc-module.js'
import { type ReadyGdb, startScriptedGdb } from './scripted-gdb.js'
import { StagedFiles, stagingProblem } from './staged-files.js'
import { copyVdso, type VdsoFile } from './vdso-file.js'

const ARCHITECTURES = { x86_64: 'i386:x86-64', i386: 'i386', aarch64: 'aarch64' } as const

type FilesTarget = Pick<Target, 'machine' | 'modules' | 'regions' | 'memory'>

/** One gdb without a target, for the files of `target`. Files are loaded when they are needed. Ask one at a time. */
export class FileGdb {
  readonly #target: FilesTarget
  readonly #warn: (warning: string) => void
  readonly #gdb: LazyGdb
  readonly #loaded = new Set<string>()
  readonly #staged = new StagedFiles()
  readonly #debugFolders = new Set<string>()
  #vdso: VdsoFile | null = null

  constructor(target: FilesTarget, options: GdbOptions, warn: (warning: string) => void) {
    this.#target = target
    this.#warn = warn
    this.#gdb = new LazyGdb((signal) => this.#start(options, signal))
  }

  /** gdb with the file that malloc comes from. Throws MiError. */
  async withMalloc(): Promise<ReadyGdb> {
    const modules = this.#target.modules()
    const now = new Set(modules.map(keyOf))
    if ([...this.#loaded].some((key) => !now.has(key))) await this.#gdb.restart()
    const ready = await this.#gdb.ready()
    const module = mallocModule(modules)
    if (module) await this.#load(ready.session, module)
    return ready
  }

  /** gdb with every file that is at hand, and the vdso. Throws MiError. */
  async withAll(): Promise<ReadyGdb> {
    const ready = await this.withMalloc()
    for (const module of this.#target.modules()) await this.#load(ready.session, module)
    if (!this.#vdso) {
      this.#vdso = copyVdso(this.#target)
      if (this.#vdso) await this.#add(ready.session, '[vdso]', this.#vdso.path, this.#vdso.base)
    }
    return ready
  }

  /** Under what name gdb knows a module's file that it has loaded; the target has it at `path`. */
  nameOf(file: string, path: string): string {
    return this.#staged.pathOf(file, path)
  }

  async close(): Promise<void> {
    await this.#gdb.close()
    this.#forget()
  }

  async #start(options: GdbOptions, signal: AbortSignal): Promise<ReadyGdb> {
    this.#forget()
    const ready = await startScriptedGdb(options, [], signal)
    const architecture = ARCHITECTURES[this.#target.machine]
    try {
      await ready.session.console(`set architecture ${architecture}`)
    } catch (error) {
      if (!(error instanceof MiError) || error.kind !== 'refused') throw error
      this.#warn(
        `${await gdbVersion(ready.session)} does not know ${architecture} (apt-get install gdb-multiarch)`,
      )
    }
    return ready
  }

  #forget(): void {
    this.#loaded.clear()
    this.#debugFolders.clear()
    this.#staged.remove()
    this.#vdso?.remove()
    this.#vdso = null
  }

  async #load(session: GdbSession, module: Module): Promise<void> {
    const { file, loadBias } = module
    if (file === null || loadBias === null || this.#loaded.has(keyOf(module))) return
    this.#loaded.add(keyOf(module))
    let opened: string
    try {
      opened = this.#staged.pathOf(file, module.path)
      await this.#addDebugFolder(session, this.#staged.debugFolderFor(module))
    } catch (error) {
      if (error instanceof MiError) throw error
      this.#warn(`no symbols for ${module.path}: ${stagingProblem(error)}`)
      return
    }
    await this.#add(session, module.path, opened, BigInt.asUintN(64, loadBias), module.isProgram)
  }

  /** Has gdb look for debug files there too. */
  async #addDebugFolder(session: GdbSession, folder: string | null): Promise<void> {
    if (folder === null || this.#debugFolders.has(folder)) return
    this.#debugFolders.add(folder)
    const answer = await session.console('show debug-file-directory')
    const before = /is "(.*)"\./s.exec(answer)?.[1] ?? ''
    await session.console(
      `set debug-file-directory ${[folder, before].filter((part) => part !== '').join(':')}`,
    )
  }

  /** A file gdb refuses is a warning, not an error: the others are still worth having. */
  async #add(
    session: GdbSession,
    name: string,
    file: string,
    bias: bigint,
    isProgram = false,
  ): Promise<void> {
    const where = `-o 0x${bias.toString(16)}`
    // The program must be gdb's main file: variables it copied from a library (stderr) then are where they really are.
    const command = isProgram
      ? `symbol-file ${where} ${cliQuote(file)}`
      : `add-symbol-file ${cliQuote(file)} ${where}`
    try {
      await session.console(command)
    } catch (error) {
      if (!(error instanceof MiError) || error.kind !== 'refused') throw error
      this.#warn(`no symbols for ${name}: ${error.gdbMessage}`)
    }
  }
}

function keyOf(module: Module): string {
  return `${module.path}@${module.base}`
}
