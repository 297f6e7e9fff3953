// Names of functions and source lines for the frames of a trace; gdb opens the modules as files, one after the other.

import { gdbShow, listFeatures } from '../mi/commands.js'
import { GdbSession } from '../mi/gdb-session.js'
import { MiError } from '../mi/mi-error.js'
import { cliQuote } from '../mi/quote.js'
import { helperCommand } from '../target/gdb/helper-command.js'
import { scriptPath } from '../target/gdb/script-path.js'
import { DEBUG_FOLDER, SymbolFiles } from './find-symbol-file.js'
import type { Trace, TraceFrame } from './trace.js'

const ADDRESSES_A_COMMAND = 2000
/** Debug information of a large program takes minutes to read. */
const LOAD_MS = 10 * 60_000

export interface SymbolizeOptions {
  readonly gdbPath?: string
  /** Folders that are searched for files with the modules' build-ids. */
  readonly folders?: readonly string[]
  /** Where a live target's module can be opened; default nowhere but its path. */
  readonly fileOf?: (module: number) => string | null
  /** The process, whose own root may have debug files; null: it is gone. */
  readonly pid?: number | null
}

export interface Symbolized {
  readonly frames: readonly TraceFrame[]
  /** Modules with frames that could not be looked up. */
  readonly missing: readonly {
    readonly path: string
    readonly buildId: string | null
    readonly why: string
  }[]
}

/** Frames with what is known of them now; those that have a function already stay. Throws MiError where gdb fails. */
export async function symbolize(
  { modules, frames }: Pick<Trace, 'modules' | 'frames'>,
  options: SymbolizeOptions = {},
): Promise<Symbolized> {
  const wanted = new Map<number, number[]>()
  frames.forEach(({ module, function: name }, index) => {
    if (module === null || name !== null) return
    const same = wanted.get(module)
    if (same) same.push(index)
    else wanted.set(module, [index])
  })
  const named = [...frames]
  const missing: Symbolized['missing'][number][] = []
  const files = new SymbolFiles(options.folders ?? [])
  const gdb = wanted.size > 0 ? await startGdb(options) : null
  try {
    for (const [number, indexes] of wanted) {
      const { path, buildId } = modules[number]!
      const found = files.find(modules[number]!, options.fileOf?.(number) ?? null)
      const why = 'why' in found ? found.why : await name(gdb!, found.file, indexes, named)
      if (why !== null) missing.push({ path, buildId, why })
    }
  } finally {
    await gdb?.close()
  }
  return { frames: named, missing }
}

async function startGdb({ gdbPath, folders = [], pid = null }: SymbolizeOptions): Promise<GdbSession> {
  const script = scriptPath('arena_inspect_lines.py')
  if (script === null)
    throw new MiError('not-found', '', 'gdb-scripts of this package are missing', 'install it again')
  const gdb = await GdbSession.start({
    ...(gdbPath === undefined ? {} : { gdbPath }),
    args: ['-x', script],
  })
  try {
    if (!(await listFeatures(gdb)).includes('python')) {
      throw new MiError('refused', '', 'this gdb has no Python', 'use another gdb with --gdb PATH')
    }
    const own = pid === null ? [] : [`/proc/${pid}/root${DEBUG_FOLDER}`]
    const before = await gdbShow(gdb, 'debug-file-directory')
    await gdb.console(`set debug-file-directory ${[...folders, before, ...own].filter(Boolean).join(':')}`)
    return gdb
  } catch (error) {
    await gdb.close()
    throw error
  }
}

/** Names the frames `indexes`, which are all in `file`. Why not, or null. */
async function name(
  gdb: GdbSession,
  file: string,
  indexes: readonly number[],
  frames: TraceFrame[],
): Promise<string | null> {
  try {
    await gdb.console(`symbol-file ${cliQuote(file)}`, { timeoutMs: LOAD_MS })
    for (let from = 0; from < indexes.length; from += ADDRESSES_A_COMMAND) {
      const part = indexes.slice(from, from + ADDRESSES_A_COMMAND)
      const addresses = part.map((index) => frames[index]!.address).join(' ')
      const answer = await helperCommand(gdb, `arena-inspect-lines ${addresses}`, { timeoutMs: LOAD_MS })
      for (const [index, function_, source, inlined] of answer as [
        number,
        string | null,
        string | null,
        string[],
      ][]) {
        const at = part[index]!
        frames[at] = { ...frames[at]!, function: function_, source, inlined }
      }
    }
    await gdb.console('symbol-file')
    return null
  } catch (error) {
    if (!(error instanceof MiError) || error.kind !== 'refused') throw error
    return error.gdbMessage
  }
}
