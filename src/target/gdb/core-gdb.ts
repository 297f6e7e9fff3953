// gdb on the program and its core file: registers, so stacks; and symbols placed as gdb itself places them.
import { resolve } from 'node:path'
import type { Target } from '../target.js'
import type { GdbOptions } from './gdb-options.js'
import { LazyGdb } from './lazy-gdb.js'
import { type LibraryFolder, libraryFolder } from './library-folder.js'
import { type ReadyGdb, startScriptedGdb } from './scripted-gdb.js'

const WORTH_SAYING = /may not match|does not match|is truncated|not a core dump|registers in core file/i

/** One `gdb PROGRAM CORE`, started when it is needed. */
export class CoreGdb {
  readonly #gdb: LazyGdb
  readonly #target: Pick<Target, 'modules'>
  readonly #warn: (warning: string) => void
  #libraries: LibraryFolder | null = null

  /** `program` is a path of this machine; libraries whose file is not the core's own stay without symbols. */
  constructor(
    program: string,
    corePath: string,
    target: Pick<Target, 'modules'>,
    options: GdbOptions,
    warn: (warning: string) => void,
  ) {
    this.#target = target
    this.#warn = warn
    this.#gdb = new LazyGdb((signal) =>
      this.#start(['-se', resolve(program), '-core', resolve(corePath)], options, signal),
    )
  }

  /** Throws MiError. */
  ready(): Promise<ReadyGdb> {
    return this.#gdb.ready()
  }

  async close(): Promise<void> {
    await this.#gdb.close()
    this.#libraries?.remove()
    this.#libraries = null
  }

  async #start(files: readonly string[], options: GdbOptions, signal: AbortSignal): Promise<ReadyGdb> {
    this.#libraries ??= libraryFolder(this.#target.modules())
    const ready = await startScriptedGdb(options, [...(this.#libraries?.args ?? []), ...files], signal)
    for (const line of `${ready.session.looseText}\n${ready.session.stderrText}`.split('\n')) {
      if (WORTH_SAYING.test(line)) this.#warn(`gdb: ${line.trim()}`)
    }
    return ready
  }
}
