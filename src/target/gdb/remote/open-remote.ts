// Opens a process behind a gdb stub (gdbserver) as a target.
import type { GdbOptions } from '../gdb-options.js'
import { type Endpoint, endpointText } from './endpoint.js'
import { lostError } from './remote-errors.js'
import { RemoteGdb } from './remote-gdb.js'
import { RemoteTarget } from './remote-target.js'

/** What to open. */
export interface RemoteChoice {
  readonly endpoint: Endpoint
  /** Null: the process that the stub has. */
  readonly pid: number | null
  readonly sysroot: string | null
}

/**
 * Connects gdb to the stub, which stops the process; it runs on when it is not read, at the latest when the target is
 * closed or we end. Throws TargetError; MiError where there is no gdb.
 */
export async function openRemote(choice: RemoteChoice, options: GdbOptions = {}): Promise<RemoteTarget> {
  const where = endpointText(choice.endpoint)
  const { gdb, facts } = await RemoteGdb.connect(choice.endpoint, choice.pid, options)
  try {
    if (facts.pid <= 0) throw lostError(where, { code: 'no-process', why: '' })
    return new RemoteTarget(gdb, { pid: facts.pid, where, sysroot: choice.sysroot })
  } catch (error) {
    gdb.close()
    throw error
  }
}
