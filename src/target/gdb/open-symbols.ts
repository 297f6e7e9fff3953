// What gdb knows of a target, without ever stopping it.
import { basename } from 'node:path'
import { type Address, hex } from '../../memory/address.js'
import { MiError } from '../../mi/mi-error.js'
import { missingGdb } from '../../mi/missing-gdb.js'
import { cliQuote } from '../../mi/quote.js'
import type { Frame, StructLayout, Symbols, Target } from '../target.js'
import { GdbCode } from './code/gdb-code.js'
import { CoreGdb } from './core-gdb.js'
import { FileGdb } from './file-gdb.js'
import type { GdbOptions } from './gdb-options.js'
import { toAddresses, toBacktraces, toIndexedNames, toLayouts } from './helper-answers.js'
import { helperCommand } from './helper-command.js'
import { mallocModule } from './malloc-module.js'
import { plainAddresses, plainBacktraces, plainLayouts, plainNearest } from './plain-commands.js'
import type { ReadyGdb } from './scripted-gdb.js'

/** The parts of a target that gdb's knowledge is about. */
export type SymbolsTarget = Pick<
  Target,
  'kind' | 'label' | 'machine' | 'modules' | 'regions' | 'memory' | 'stacks'
>

export interface SymbolsOptions extends GdbOptions {
  /** Path of the core file; default the label of a target of kind `core`. */
  readonly corePath?: string
}

const DEFAULT_TIMEOUT_MS = 120_000
const ADDRESSES_A_COMMAND = 4096
/** Itanium C++ ABI; a name that is no word would be another gdb command. */
const MANGLED = /^_Z\w+$/

/**
 * Symbols of `target`. gdb starts with the first question, opens only files, and never attaches. When gdb fails (not
 * installed, dead, too slow) the answers are empty and `warnings` says why; nothing rejects with MiError.
 */
export async function openSymbols(target: SymbolsTarget, options: SymbolsOptions = {}): Promise<Symbols> {
  return new GdbSymbols(target, { ...options, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS })
}

class GdbSymbols implements Symbols {
  readonly #target: SymbolsTarget
  readonly #files: FileGdb
  readonly #core: CoreGdb | null
  readonly code: GdbCode | null
  readonly #warnings = new Set<string>()
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(target: SymbolsTarget, options: SymbolsOptions) {
    this.#target = target
    const { corePath = target.label, ...gdb } = options
    const warn = (warning: string) => this.#warnings.add(warning)
    const missing = missingGdb(options.gdbPath)
    if (missing) warn(`${missing.gdbMessage} (${missing.hint})`)
    this.#files = new FileGdb(target, gdb, warn)
    // A remote target fetches a file when it is asked for it.
    const isCore = target.kind === 'core'
    const program = isCore ? (target.modules().find((module) => module.isProgram)?.file ?? null) : null
    this.#core = program === null ? null : new CoreGdb(program, corePath, target, gdb, warn)
    const core = this.#core
    this.code = core && new GdbCode({ ready: () => core.ready(), close: async () => {} })
  }

  get warnings(): readonly string[] {
    return [...this.#warnings]
  }

  addressesOf(names: readonly string[]): Promise<ReadonlyMap<string, Address>> {
    return this.#orEmpty(new Map(), async () => {
      const { session, hasScript } = await this.#files.withMalloc()
      const module = mallocModule(this.#target.modules())
      if (!module?.file) return this.#noMalloc()
      const wanted = names.filter((name) => /^[A-Za-z_]\w*$/.test(name))
      const found = hasScript
        ? toAddresses(
            await helperCommand(
              session,
              `arena-inspect-addresses ${this.#objfile(module.file, module.path)} ${wanted.join(' ')}`,
            ),
          )
        : await plainAddresses(session, wanted)
      for (const [name, at] of found) if (!this.#isInside(module.path, at)) found.delete(name)
      if (wanted.includes('main_arena') && !found.has('main_arena')) this.#noDebugInfo(module.path)
      return found
    })
  }

  layoutsOf(tags: readonly string[]): Promise<ReadonlyMap<string, StructLayout>> {
    return this.#orEmpty(new Map(), async () => {
      const { session, hasScript } = await this.#files.withMalloc()
      const module = mallocModule(this.#target.modules())
      if (!module?.file) return this.#noMalloc()
      const wanted = tags.filter((tag) => /^[A-Za-z_]\w*$/.test(tag))
      const found = hasScript
        ? toLayouts(
            await helperCommand(
              session,
              `arena-inspect-layouts ${this.#objfile(module.file, module.path)} ${wanted.join(' ')}`,
            ),
          )
        : await plainLayouts(session, wanted)
      if (wanted.includes('malloc_state') && !found.has('malloc_state')) this.#noDebugInfo(module.path)
      return found
    })
  }

  nearest(addresses: readonly Address[]): Promise<readonly (string | null)[]> {
    const unknown = addresses.map(() => null)
    if (addresses.length === 0) return Promise.resolve(unknown)
    return this.#orEmpty<readonly (string | null)[]>(unknown, async () => {
      const ready = await (this.#core?.ready() ?? this.#files.withAll())
      const unique = [...new Set<bigint>(addresses)]
      const names = new Map<bigint, string>()
      for (let from = 0; from < unique.length; from += ADDRESSES_A_COMMAND) {
        const part = unique.slice(from, from + ADDRESSES_A_COMMAND)
        for (const [index, name] of await nearestOf(ready, part)) names.set(part[index]!, name)
      }
      return addresses.map((at) => names.get(at) ?? null)
    })
  }

  demangled(names: readonly string[]): Promise<readonly string[]> {
    if (!names.some((name) => MANGLED.test(name))) return Promise.resolve(names)
    return this.#orEmpty(names, async () => {
      const { session } = await (this.#core?.ready() ?? this.#files.withAll())
      const answers: string[] = []
      for (const name of names) {
        const text = MANGLED.test(name) ? (await session.console(`demangle -l c++ -- ${name}`)).trim() : name
        answers.push(text === '' || text.startsWith("Can't demangle") ? name : text)
      }
      return answers
    })
  }

  backtraces(depth: number): Promise<ReadonlyMap<number, readonly Frame[]>> {
    const core = this.#core
    const target = this.#target
    if (target.stacks)
      return this.#orEmpty<ReadonlyMap<number, readonly Frame[]>>(new Map(), async () =>
        target.stacks!(Math.max(1, Math.floor(depth))),
      )
    if (!core) {
      if (this.#target.kind === 'core')
        this.#warnings.add('no stacks: the program of this core is not at hand')
      return Promise.resolve(new Map())
    }
    return this.#orEmpty(new Map(), async () => {
      const { session, hasScript } = await core.ready()
      const frames = Math.max(1, Math.floor(depth))
      return hasScript
        ? toBacktraces(await helperCommand(session, `arena-inspect-backtraces ${frames}`))
        : plainBacktraces(session, frames)
    })
  }

  /** Questions in progress are answered with nothing. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#files.close(), this.#core?.close()])
  }

  /** One question at a time. gdb's failures become a warning and an answer without content. */
  #orEmpty<T>(empty: T, question: () => Promise<T>): Promise<T> {
    const answer = this.#last.then(async () => {
      if (this.#closed) return empty
      try {
        return await question()
      } catch (error) {
        if (!(error instanceof MiError)) throw error
        if (!this.#closed) this.#warnings.add(`${error.gdbMessage} (${error.hint})`)
        return empty
      }
    })
    this.#last = answer.catch(() => {})
    return answer
  }

  /** The module's file as our script's argument. */
  #objfile(file: string, path: string): string {
    return cliQuote(`-objfile=${this.#files.nameOf(file, path)}`)
  }

  /** Inside the module's mappings or the anonymous memory right after them, its .bss; or nobody knows them. */
  #isInside(path: string, at: Address): boolean {
    let end: bigint | null = null
    let known = false
    for (const region of this.#target.regions()) {
      const own = region.path === path || (region.path === null && region.start === end)
      if (!own) continue
      known = true
      if (at >= region.start && at < region.end) return true
      end = region.end
    }
    return !known
  }

  #noMalloc<T>(): Map<string, T> {
    const module = mallocModule(this.#target.modules())
    const what = module
      ? `${basename(module.path)}: ${module.fileProblem ?? 'its file is not at hand'}`
      : 'no libc found'
    this.#warnings.add(`no symbols for malloc: ${what}`)
    return new Map()
  }

  #noDebugInfo(path: string): void {
    const remedy = /\/libc[.-]/.test(path) ? 'apt-get install libc6-dbg' : 'glibc is linked into it'
    this.#warnings.add(`no debug symbols of malloc for ${basename(path)} (${remedy})`)
  }
}

async function nearestOf(
  { session, hasScript }: ReadyGdb,
  part: readonly bigint[],
): Promise<[number, string][]> {
  if (hasScript)
    return toIndexedNames(await helperCommand(session, `arena-inspect-symbols ${part.map(hex).join(' ')}`))
  return withIndexes(await plainNearest(session, part))
}

function withIndexes(names: readonly (string | null)[]): [number, string][] {
  return names.flatMap((name, index): [number, string][] => (name === null ? [] : [[index, name]]))
}
