// Lets a process stand still for a moment: ptrace by a script in gdb's Python, which attaches no debugger and loads nothing.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { scriptPath } from '../gdb/script-path.js'
import { TargetError } from '../target.js'

/** The process stands still. */
export interface Held {
  /** Threads that stopped, and those that sleep in the kernel where nothing stops them (nor lets them touch memory). */
  readonly threads: number
  readonly missed: number
}

export interface Released {
  /** From before the first thread stopped until the last ran on. */
  readonly stoodStillMs: number
  /** True when it ran on by itself before it was asked to, as time was up. */
  readonly late: boolean
}

type Answer = Partial<Held & Released> & {
  readonly ready?: true
  readonly held?: number
  readonly error?: string
}

const START_MS = 30_000
const ANSWER_MS = 30_000

/** What can hold one process again and again. The process runs on when this is closed, and when we are killed. */
export class Holder {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #answers: AsyncIterator<string>
  readonly #pid: number
  #said = ''

  private constructor(pid: number, gdbPath: string, script: string) {
    this.#pid = pid
    // A session of its own: Ctrl-C is for us; that we ended the script sees by its input.
    this.#child = spawn(
      gdbPath,
      ['-nx', '-q', '-batch', '-iex', 'set debuginfod enabled off', '-x', script],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      },
    )
    this.#child.on('error', (error) => {
      this.#said = error.message
    })
    this.#child.stdin.on('error', () => {})
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-2000)
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Resolves when `hold` takes effect at once. Throws TargetError. */
  static async open(pid: number, gdbPath = 'gdb'): Promise<Holder> {
    const script = scriptPath(undefined, 'arena_inspect_stop.py')
    if (script === null) throw new TargetError('gdb-scripts of this package are missing', 'install it again')
    const holder = new Holder(pid, gdbPath, script)
    try {
      if ((await holder.#answer(START_MS)).ready !== true) throw holder.#failure('an odd answer')
      return holder
    } catch (error) {
      holder.close()
      throw error
    }
  }

  /** Stops all threads, for `mostMs` at most. Throws TargetError; the process then runs. */
  async hold(mostMs: number): Promise<Held> {
    this.#child.stdin.write(`hold ${this.#pid} ${mostMs / 1000}\n`)
    const { held, missed, error } = await this.#answer(ANSWER_MS)
    if (error !== undefined) throw this.#failure(error)
    return { threads: held ?? 0, missed: missed ?? 0 }
  }

  async release(): Promise<Released> {
    this.#child.stdin.write('release\n')
    const { stoodStillMs, late, error } = await this.#answer(ANSWER_MS)
    if (error !== undefined || stoodStillMs === undefined) throw this.#failure(error ?? 'an odd answer')
    if (late) await this.#answer(ANSWER_MS)
    return { stoodStillMs, late: late === true }
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.unref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.destroy()
  }

  async #answer(withinMs: number): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), withinMs)
    })
    try {
      for (;;) {
        const line = await Promise.race([this.#answers.next(), late])
        if (line === 'late') throw this.#failure('no answer')
        if (line.done === true) throw this.#failure(lastLine(this.#said) ?? 'it ended')
        // gdb may have something to say before the script has.
        if (line.value.startsWith('{')) return JSON.parse(line.value) as Answer
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #failure(what: string): TargetError {
    if (what === 'ESRCH')
      return new TargetError(`process ${this.#pid} has ended`, 'look for its successor with `pgrep -a NAME`')
    if (what === 'EPERM')
      return new TargetError(
        `process ${this.#pid} may not be stopped (EPERM): another process traces it, or tracing is not allowed`,
        `see TracerPid in /proc/${this.#pid}/status and /proc/sys/kernel/yama/ptrace_scope, or leave out --stop`,
      )
    return new TargetError(
      `process ${this.#pid} could not be stopped: ${what}`,
      '--stop takes gdb with Python; without it the process is read while it runs',
    )
  }
}

function lastLine(text: string): string | null {
  return text.trim().split('\n').at(-1) || null
}
