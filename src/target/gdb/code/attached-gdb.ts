// gdb attached to a live process, which stands still until gdb ends. Nothing in it is changed.
import { MiError } from '../../../mi/mi-error.js'
import { TargetError } from '../../target.js'
import type { GdbOptions } from '../gdb-options.js'
import { startScriptedGdb } from '../scripted-gdb.js'
import { GdbCode } from './gdb-code.js'

/** What gdb would otherwise do to a process when an expression says so. */
const HANDS_OFF = [
  'set may-call-functions off',
  'set may-write-memory off',
  'set may-write-registers off',
  'set may-insert-breakpoints off',
  'set unwindonsignal on',
]

/**
 * Stops `pid` and answers about its threads; it runs on when the code is closed, or when we are gone. No signal is ever
 * sent to this gdb: one that ends it while it attaches would leave the process stopped. Throws TargetError.
 */
export async function attachCode(pid: number, options: GdbOptions, signal: AbortSignal): Promise<GdbCode> {
  const settings = HANDS_OFF.flatMap((setting) => ['-iex', setting])
  try {
    const ready = await startScriptedGdb({ ...options, spared: true }, settings, signal)
    const code = new GdbCode({ ready: async () => ready, close: () => ready.session.close() })
    await ready.session.send(`-target-attach ${pid}`).catch(async (error: unknown) => {
      await code.close()
      throw error
    })
    return code
  } catch (error) {
    if (!(error instanceof MiError)) throw error
    if (error.kind !== 'refused') throw new TargetError(error.gdbMessage, error.hint)
    const hint = 'run as the same user or as root, and let no other debugger be attached'
    const why = error.gdbMessage.replace(/\s+/g, ' ')
    throw new TargetError(`gdb cannot attach to ${pid}: ${why}`, hint)
  }
}
