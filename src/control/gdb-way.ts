// The visit by gdb's own `call`: where our ptrace has no frames for the processor.
import { writeFileSync } from 'node:fs'
import { listFeatures } from '../mi/commands.js'
import { GdbSession } from '../mi/gdb-session.js'
import { MiError } from '../mi/mi-error.js'
import { cliQuote } from '../mi/quote.js'
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import { scriptArguments } from '../target/gdb/script-path.js'
import type { Plan, ScriptAnswer } from './plan.js'
import { Refusal } from './refusal.js'
import { type OnEvent, Rendezvous } from './rendezvous.js'

/** A call that has not come back by then is no longer waited for; gdb still waits. */
const ANSWER_MS = 15 * 60_000

/** Carries out `plan`. Throws Refusal, MiError for gdb's own failures, and what `onEvent` throws. */
export async function visitByGdb(
  plan: Plan,
  onEvent: OnEvent,
  gdb: GdbOptions = {},
  signal?: AbortSignal,
): Promise<ScriptAnswer> {
  const line = await Rendezvous.open(onEvent)
  const onAbort = () => line.hangUp()
  signal?.addEventListener('abort', onAbort)
  try {
    writeFileSync(line.planPath, JSON.stringify({ ...plan, socket: line.socketPath }), { mode: 0o600 })
    const answer = await run(line, plan.pid, gdb)
    if (line.error) throw line.error
    return answer
  } finally {
    signal?.removeEventListener('abort', onAbort)
    line.close()
  }
}

async function run(line: Rendezvous, pid: number, options: GdbOptions): Promise<ScriptAnswer> {
  const gdb = await GdbSession.start({
    ...options,
    spared: true,
    // Without this gdb reads the program's symbols while the process stands still.
    args: [
      '-iex',
      `exec-file ${cliQuote(`/proc/${pid}/exe`)}`,
      ...scriptArguments(['arena_inspect_control.py']),
    ],
  })
  try {
    if (!(await listFeatures(gdb)).includes('python')) {
      throw new Refusal(
        'no-python',
        'this gdb has no Python, without which nothing would put the process right should arena-inspect be killed',
        'use another gdb with --gdb PATH',
      )
    }
    // gdb answers this command too early when it attaches twice; it fails it when the script itself fails.
    const command = gdb.console(`arena-inspect-control ${line.planPath}`, { timeoutMs: ANSWER_MS })
    const answer = await inTime(Promise.race([line.answered, command.then(() => line.answered)]))
    if (answer === 'late') throw lateRefusal(pid, gdb.pid)
    command.catch(() => {})
    // When the script itself failed, gdb tells how.
    if (answer === null) await command
    if (answer === null) throw new MiError('died', '', 'gdb ended before it had put the process right')
    return answer
  } finally {
    await gdb.close()
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ANSWER_MS - 1000)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

function lateRefusal(pid: number, gdbPid: number): Refusal {
  return new Refusal(
    'other',
    `the call has not come back after ${ANSWER_MS / 60_000} minutes; gdb (${gdbPid}) still waits for it, and will put everything back and let go`,
    `do not kill that gdb: process ${pid} would die with it`,
  )
}
