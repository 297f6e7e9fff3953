// A gdb session with the package's gdb scripts in it.
import { listFeatures } from '../../mi/commands.js'
import { GdbSession } from '../../mi/gdb-session.js'
import type { GdbOptions } from './gdb-options.js'
import { scriptPath } from './script-path.js'

const SCRIPTS = ['arena_inspect.py', 'arena_inspect_answers.py'] as const

/** A running gdb and what it can do. */
export interface ReadyGdb {
  readonly session: GdbSession
  /** True when the commands of gdb-scripts/arena_inspect_answers.py are there; false in a gdb without Python. */
  readonly hasScript: boolean
}

/** Starts gdb with `args` and our scripts; `signal` ends it. Throws MiError. */
export async function startScriptedGdb(
  options: GdbOptions,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ReadyGdb> {
  const scripts = SCRIPTS.map((name) => scriptPath(name)).filter((path) => path !== null)
  const session = await GdbSession.start({
    ...options,
    signal,
    args: [...args, ...scripts.flatMap((path) => ['-x', path])],
  })
  try {
    const features = await listFeatures(session)
    return { session, hasScript: scripts.length === SCRIPTS.length && features.includes('python') }
  } catch (error) {
    await session.close()
    throw error
  }
}
