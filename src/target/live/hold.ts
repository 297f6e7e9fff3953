// Lets a process stand still for a moment: ptrace by a script in gdb's Python, which attaches no debugger and loads nothing.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { scriptArguments } from '../gdb/script-path.js'
import { TargetError } from '../target.js'

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
  readonly ready?: true
  readonly held?: number
  readonly error?: string
  /** The script ends with this answer. */
  readonly ends?: boolean
}

const START_MS = 30_000
const ANSWER_MS = 30_000

/** What can hold one process again and again. The process runs on when this is closed, and when we are killed. */
export class Holder {
  #script: Script | null

  private constructor(
    readonly pid: number,
    readonly gdbPath: string,
    script: Script,
  ) {
    this.#script = script
  }

  /** Resolves when `hold` takes effect at once. Throws TargetError. */
  static async open(pid: number, gdbPath = 'gdb'): Promise<Holder> {
    return new Holder(pid, gdbPath, await Script.start(pid, gdbPath))
  }

  /**
   * Stops all threads, for `mostMs` at most, at a moment at which none of the `locks` (ints of the target) is held: those
   * that are in the middle of something get a few moments more, one by one. Throws TargetError; the process then runs.
   */
  async hold(mostMs: number, locks: readonly bigint[] = []): Promise<Held> {
    this.#script ??= await Script.start(this.pid, this.gdbPath)
    const words = ['hold', this.pid, mostMs / 1000, ...locks.map((lock) => lock.toString(16))]
    const { held, missed, locked } = await this.#script.ask(words.join(' '))
    return { threads: held ?? 0, missed: missed ?? 0, locked: locked ?? 0 }
  }

  async release(): Promise<Released> {
    const script = this.#script
    if (!script) throw new Error('nothing is held')
    const { stoodStillMs, late, ends } = await script.ask('release')
    if (stoodStillMs === undefined) throw script.failure('an odd answer')
    if (ends) this.close()
    else if (late) await script.answer(ANSWER_MS)
    return { stoodStillMs, late: late === true }
  }

  close(): void {
    this.#script?.close()
    this.#script = null
  }
}

/** The script in gdb's Python, line by line. */
class Script {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #answers: AsyncIterator<string>
  readonly #pid: number
  #said = ''

  private constructor(pid: number, gdbPath: string, script: readonly string[]) {
    this.#pid = pid
    // A session of its own: Ctrl-C is for us; that we ended the script sees by its input.
    this.#child = spawn(gdbPath, ['-nx', '-q', '-batch', '-iex', 'set debuginfod enabled off', ...script], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child.on('error', (error) => {
      this.#said = error.message
    })
    this.#child.stdin.on('error', () => {})
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-2000)
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  static async start(pid: number, gdbPath: string): Promise<Script> {
    const script = new Script(pid, gdbPath, scriptArguments(['arena_inspect_stop.py']))
    try {
      if ((await script.answer(START_MS)).ready !== true) throw script.failure('an odd answer')
      return script
    } catch (error) {
      script.close()
      throw error
    }
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.unref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.destroy()
  }

  async ask(line: string): Promise<Answer> {
    this.#child.stdin.write(`${line}\n`)
    const answer = await this.answer(ANSWER_MS)
    if (answer.error !== undefined) throw this.failure(answer.error)
    return answer
  }

  async answer(withinMs: number): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), withinMs)
    })
    try {
      for (;;) {
        const line = await Promise.race([this.#answers.next(), late])
        if (line === 'late') throw this.failure('no answer')
        if (line.done === true) throw this.failure(lastLine(this.#said) ?? 'it ended')
        // gdb may have something to say before the script has.
        if (line.value.startsWith('{')) return JSON.parse(line.value) as Answer
      }
    } finally {
      clearTimeout(timer)
    }
  }

  failure(what: string): TargetError {
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
