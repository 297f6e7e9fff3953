// The file that names a module's functions: itself where it still is, its debug file, or one with its build-id elsewhere.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildIdOfFile } from '../target/elf/build-id.js'
import type { TraceModule } from './trace.js'

/** Files of one `--symbols` folder that are looked into at most. */
const MOST_FILES = 100_000

export const DEBUG_FOLDER = '/usr/lib/debug'

/** Looks on this machine; each folder is read once. */
export class SymbolFiles {
  readonly #folders: readonly string[]
  #byBuildId: Map<string, string> | null = null

  /** `folders`: searched for build-ids after the usual places. */
  constructor(folders: readonly string[]) {
    this.#folders = folders
  }

  /** `known`: where a live target's module was found. A path of a file, or why there is none. */
  find(module: TraceModule, known: string | null): { file: string } | { why: string } {
    const { buildId, path } = module
    // A link of /proc can lead to another program by now.
    if (known !== null && existsSync(known) && (buildId === null || buildIdOfFile(known) === buildId)) {
      return { file: known }
    }
    if (buildId === null) return { why: 'it has no build-id by which its file could be told' }
    const own = buildIdOfFile(path)
    if (own === buildId) return { file: path }
    for (const folder of [...this.#folders, DEBUG_FOLDER]) {
      const file = join(folder, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`)
      if (buildIdOfFile(file) === buildId) return { file }
    }
    const elsewhere = this.#index().get(buildId)
    if (elsewhere !== undefined) return { file: elsewhere }
    return { why: own === null ? 'not on this machine' : 'another build is at its path' }
  }

  #index(): Map<string, string> {
    if (this.#byBuildId) return this.#byBuildId
    this.#byBuildId = new Map()
    for (const folder of this.#folders) this.#read(folder, this.#byBuildId)
    return this.#byBuildId
  }

  #read(folder: string, found: Map<string, string>): void {
    let files = 0
    const waiting = [folder]
    while (waiting.length > 0 && files < MOST_FILES) {
      const next = waiting.pop()!
      for (const entry of entriesOf(next)) {
        const path = join(next, entry.name)
        if (entry.isDirectory()) waiting.push(path)
        else if (files++ < MOST_FILES) {
          const buildId = buildIdOfFile(path)
          if (buildId !== null && !found.has(buildId)) found.set(buildId, path)
        }
      }
    }
  }
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error) return []
    throw error
  }
}
