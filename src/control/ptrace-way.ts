// The visit by our own ptrace: a script that stops the process, calls on frames that bring the thread back by
// themselves, and lets go. Nothing that happens to the script or to us harms the process.
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import { HOST_HINT, ScriptHost } from '../target/live/script-host.js'
import type { Plan, ScriptAnswer, VisitEvent } from './plan.js'
import { Refusal } from './refusal.js'
import type { OnEvent } from './rendezvous.js'

const ANSWER_MS = 15 * 60_000

/** Carries out `plan`. Throws Refusal, TargetError, and what `onEvent` throws. */
export async function visitByPtrace(
  plan: Plan,
  onEvent: OnEvent,
  gdb: GdbOptions = {},
  signal?: AbortSignal,
): Promise<ScriptAnswer> {
  const host = await ScriptHost.start('arena_inspect_calls.py', gdb.gdbPath)
  if (typeof host === 'string') throw new Refusal('no-host', `nothing was called: ${host}`, HOST_HINT)
  const onAbort = () => host.end()
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    host.send(JSON.stringify(plan))
    return await answerOf(host, plan.pid, onEvent, gdb.transcript)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    host.close()
  }
}

async function answerOf(
  host: ScriptHost,
  pid: number,
  onEvent: OnEvent,
  transcript: GdbOptions['transcript'],
): Promise<ScriptAnswer> {
  let failure: unknown = null
  for (;;) {
    const event = await host.answer<VisitEvent>(ANSWER_MS)
    if (event === 'late') throw lateRefusal(pid, host.pid)
    if (event === 'ended') {
      const why = host.said ? `: ${host.said}` : ''
      throw new Refusal('other', `the script ended in the middle${why}`, `process ${pid} runs on by itself`)
    }
    transcript?.('from-script', JSON.stringify(event))
    if (event.event === 'answer') {
      if (failure !== null) throw failure
      return event.answer
    }
    let go = false
    try {
      go = await onEvent(event)
    } catch (error) {
      failure ??= error
    }
    if (event.event === 'pause') host.send(JSON.stringify({ go }))
  }
}

function lateRefusal(pid: number, scriptPid: number): Refusal {
  return new Refusal(
    'other',
    `the call has not come back after ${ANSWER_MS / 60_000} minutes; the script (${scriptPid}) still waits for it, and will put everything back and let go`,
    `kill -9 ${scriptPid} lets process ${pid} run on at once, which also puts everything back`,
  )
}
