// Our scripts that use ptrace run in gdb's Python, or in python3 itself: gdb has no part in what they do.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { scriptPath } from '../gdb/script-path.js'
import { TargetError } from '../target.js'

/** What a script needs beside it: they import each other from their own folder. */
const MODULES = ['frames', 'guards', 'hold', 'ptrace', 'unwind', 'visit', 'xstate'] as const

type ScriptName = 'arena_inspect_stop.py' | 'arena_inspect_calls.py'

const DEFAULT_GDB = 'gdb'
const START_MS = 30_000
const KEPT_ERROR_TEXT = 2000
/** What to do where no script can run. */
export const HOST_HINT = 'install gdb or python3 (Debian, Ubuntu: apt-get install gdb)'

/** A running script: JSON lines to it and from it. It is in a session of its own, and notices our end by its stdin. */
export class ScriptHost {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: AsyncIterator<string>
  #said = ''

  private constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    this.#child.on('error', (error: NodeJS.ErrnoException) => {
      this.#said = error.code === 'ENOENT' ? `${command}: not found` : error.message
    })
    this.#child.stdin.on('error', () => {})
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-KEPT_ERROR_TEXT)
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /**
   * Starts the script in gdb's Python; where there is no gdb of the default name, or it has no Python, in python3.
   * Resolves once the script has said that it is ready, else to the reason. Throws TargetError where it is missing.
   */
  static async start(name: ScriptName, gdbPath = DEFAULT_GDB): Promise<ScriptHost | string> {
    const script = stagedScript(name)
    const gdb = await ScriptHost.#tried(gdbPath, [...GDB_ARGUMENTS, '-x', script])
    if (typeof gdb !== 'string' || gdbPath !== DEFAULT_GDB) return gdb
    const python = await ScriptHost.#tried('python3', ['-I', script])
    if (typeof python !== 'string') return python
    return `neither gdb's Python (${gdb}) nor python3 (${python}) runs our script`
  }

  /** The host, or why it did not get ready. */
  static async #tried(command: string, args: readonly string[]): Promise<ScriptHost | string> {
    const host = new ScriptHost(command, args)
    const first = await host.answer<{ ready?: true }>(START_MS)
    if (typeof first === 'object' && first.ready === true) return host
    host.close()
    return host.said ?? (first === 'late' ? 'it did not get ready' : 'it ended at once')
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** The last line of its stderr; null when there is none. */
  get said(): string | null {
    return this.#said.trim().split('\n').at(-1) || null
  }

  send(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** No more is sent: the script puts everything right and ends. */
  end(): void {
    this.#child.stdin.end()
  }

  /** The next object that it prints; 'ended' when it has ended without one, 'late' when there was none in time. */
  async answer<T>(withinMs: number): Promise<T | 'ended' | 'late'> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), withinMs)
    })
    try {
      for (;;) {
        const line = await Promise.race([this.#lines.next(), late])
        if (line === 'late') return 'late'
        if (line.done === true) {
          if (
            this.#child.exitCode === null &&
            this.#child.signalCode === null &&
            this.#child.pid !== undefined
          )
            await Promise.race([once(this.#child, 'close'), late])
          return 'ended'
        }
        // gdb may have something to say before the script has.
        if (line.value.startsWith('{')) return JSON.parse(line.value) as T
      }
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.end()
    this.#child.unref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.destroy()
  }
}

const GDB_ARGUMENTS = ['-nx', '-q', '-batch', '-iex', 'set debuginfod enabled off']

function stagedScript(name: ScriptName): string {
  const missing = MODULES.some((module) => scriptPath(`arena_inspect_${module}.py`) === null)
  const script = scriptPath(name)
  if (missing || script === null)
    throw new TargetError('gdb-scripts of this package are missing', 'install it again')
  return script
}
