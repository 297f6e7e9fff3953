// Opens a target for a debug adapter: with a debugger's view of a core, or of a process that was asked to stand still.
import { attachCode } from '../target/gdb/code/attached-gdb.js'
import type { GdbCode } from '../target/gdb/code/gdb-code.js'
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import type { TargetChoice } from '../target/open.js'
import type { Debuggee } from './debuggee.js'
import { openSession, type SessionOptions, type TargetSession } from './open-session.js'

/**
 * Opens and measures what `choice` names. `stop`: gdb is attached first, so that the process stands still until the
 * debuggee is closed or we are gone; without it a live process is read while it runs and has no stacks. Aborting
 * `signal` ends the opening. Throws TargetError.
 */
export async function openDebuggee(
  choice: TargetChoice,
  { stop = false, ...options }: SessionOptions,
  signal: AbortSignal,
): Promise<Debuggee> {
  const code = stop && choice.kind === 'live' ? await attachCode(choice.pid, gdbOf(options), signal) : null
  try {
    const session = await openSession(choice, options)
    return debuggee(session, code)
  } catch (error) {
    await code?.close()
    throw error
  }
}

function debuggee(session: TargetSession, attachedCode: GdbCode | null): Debuggee {
  const { target, symbols } = session
  const code = attachedCode ?? symbols?.code ?? null
  return {
    session,
    code,
    whyNoCode: code ? null : whyNoCode(session),
    signal: target.signal,
    warnings: () => [...target.problems, ...(target.notes ?? []), ...(symbols?.warnings ?? [])],
    threads: () => target.threads(),
    modules: () => target.modules(),
    async close() {
      // First the process runs on, then the rest is put away.
      await attachedCode?.close()
      await session.close()
    },
  }
}

function whyNoCode({ target, symbols }: TargetSession): string {
  if (target.kind !== 'core')
    return 'the process runs: it is read without being stopped ("stop": true stops it)'
  if (!symbols) return 'there are no stacks without gdb'
  return 'there are no stacks: the program of this core is not at hand ("program" names it)'
}

function gdbOf({ gdbPath, transcript, timeoutMs }: SessionOptions): GdbOptions {
  return {
    ...(gdbPath === undefined ? {} : { gdbPath }),
    ...(transcript ? { transcript } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
}
