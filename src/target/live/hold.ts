// Lets a process stand still for a moment: ptrace by a script of ours, which attaches no debugger and loads nothing.
import { TargetError } from '../target.js'
import { HOST_HINT, ScriptHost } from './script-host.js'

/** The process stands still. */
export interface Held {
  /** Threads that stopped, and those that sleep in the kernel where nothing stops them (nor lets them touch memory). */
  readonly threads: number
  readonly missed: number
  /** Of the locks that were named, those that are held all the same. */
  readonly locked: number
}

export interface Released {
  /** From before the first thread stopped until the last ran on. */
  readonly stoodStillMs: number
  /** True when it ran on by itself before it was asked to, as time was up. */
  readonly late: boolean
}

type Answer = Partial<Held & Released> & {
  readonly held?: number
  readonly error?: string
  /** The script ends with this answer. */
  readonly ends?: boolean
}

const SCRIPT = 'arena_inspect_stop.py'
const ANSWER_MS = 30_000

/** What can hold one process again and again. The process runs on when this is closed, and when we are killed. */
export class Holder {
  #script: ScriptHost | null

  private constructor(
    readonly pid: number,
    readonly gdbPath: string,
    script: ScriptHost,
  ) {
    this.#script = script
  }

  /** Resolves when `hold` takes effect at once. Throws TargetError. */
  static async open(pid: number, gdbPath = 'gdb'): Promise<Holder> {
    return new Holder(pid, gdbPath, await started(pid, gdbPath))
  }

  /**
   * Stops all threads, for `mostMs` at most, at a moment at which none of the `locks` (ints of the target) is held: those
   * that are in the middle of something get a few moments more, one by one. Throws TargetError; the process then runs.
   */
  async hold(mostMs: number, locks: readonly bigint[] = []): Promise<Held> {
    this.#script ??= await started(this.pid, this.gdbPath)
    const words = ['hold', this.pid, mostMs / 1000, ...locks.map((lock) => lock.toString(16))]
    const { held, missed, locked } = await this.#ask(this.#script, words.join(' '))
    return { threads: held ?? 0, missed: missed ?? 0, locked: locked ?? 0 }
  }

  async release(): Promise<Released> {
    const script = this.#script
    if (!script) throw new Error('nothing is held')
    const { stoodStillMs, late, ends } = await this.#ask(script, 'release')
    if (stoodStillMs === undefined) throw failure(this.pid, 'an odd answer')
    if (ends) this.close()
    else if (late) await script.answer(ANSWER_MS)
    return { stoodStillMs, late: late === true }
  }

  close(): void {
    this.#script?.close()
    this.#script = null
  }

  async #ask(script: ScriptHost, line: string): Promise<Answer> {
    script.send(line)
    const answer = await script.answer<Answer>(ANSWER_MS)
    if (answer === 'late') throw failure(this.pid, 'no answer')
    if (answer === 'ended') throw failure(this.pid, script.said ?? 'the script ended')
    if (answer.error !== undefined) throw failure(this.pid, answer.error)
    return answer
  }
}

async function started(pid: number, gdbPath: string): Promise<ScriptHost> {
  const host = await ScriptHost.start(SCRIPT, gdbPath)
  if (typeof host === 'string') throw failure(pid, host, HOST_HINT)
  return host
}

function failure(pid: number, what: string, hint = 'without --stop it is read while it runs'): TargetError {
  if (what === 'ESRCH')
    return new TargetError(`process ${pid} has ended`, 'look for its successor with `pgrep -a NAME`')
  if (what === 'EPERM')
    return new TargetError(
      `process ${pid} may not be stopped (EPERM): another process traces it, or tracing is not allowed`,
      `see TracerPid in /proc/${pid}/status and /proc/sys/kernel/yama/ptrace_scope, or leave out --stop`,
    )
  return new TargetError(`process ${pid} could not be stopped: ${what}`, hint)
}
