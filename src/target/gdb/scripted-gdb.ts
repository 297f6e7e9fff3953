// A gdb session with the package's gdb script in it.
import { listFeatures } from '../../mi/commands.js'
import { GdbSession } from '../../mi/gdb-session.js'
import type { GdbOptions } from './gdb-options.js'
import { scriptPath } from './script-path.js'

/** A running gdb and what it can do. */
export interface ReadyGdb {
  readonly session: GdbSession
  /** True when the commands of gdb-scripts/arena_inspect.py are there; false in a gdb without Python. */
  readonly hasScript: boolean
}

/** Starts gdb with `args` and our script; `signal` ends it. Throws MiError. */
export async function startScriptedGdb(
  options: GdbOptions,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ReadyGdb> {
  const script = scriptPath()
  const session = await GdbSession.start({
    ...options,
    signal,
    args: [...args, ...(script ? ['-x', script] : [])],
  })
  try {
    const features = await listFeatures(session)
    return { session, hasScript: script !== null && features.includes('python') }
  } catch (error) {
    await session.close()
    throw error
  }
}
