// A gdb in MI mode: commands in, answers out, with an end to every wait.
import type { GDB } from 'gdb-js'
import { endGdb, type GdbProcess, hasEnded, holdEventLoop, startGdb, waitForEnd } from './gdb-process.js'
import { LineReader } from './line-reader.js'
import { MiError } from './mi-error.js'
import { decodeText } from './parse-record.js'
import { type Answer, ProxyTransport } from './proxy-transport.js'
import { miQuote } from './quote.js'
import { type AsyncRecord, type StreamRecord, textField } from './record.js'

export type TranscriptDirection = 'to-gdb' | 'from-gdb' | 'stderr' | 'from-script'

export interface GdbSessionOptions {
  /** Default `gdb`, found in PATH. */
  readonly gdbPath?: string
  /** More arguments, after ours. */
  readonly args?: readonly string[]
  /** Gets every line that passes; stderr is cut after 64 KiB in all. */
  readonly transcript?: (direction: TranscriptDirection, line: string) => void
  /** For the start and for commands that say nothing else. Default 60 s. */
  readonly timeoutMs?: number
  /** Closes the session when aborted, even while it starts. */
  readonly signal?: AbortSignal
  /**
   * No signal is ever sent to gdb, because it may be inside a process that it has to put right first: a command that
   * takes too long is no longer waited for, and gdb ends when it has done it and finds its stdin closed.
   */
  readonly spared?: boolean
}

export interface CommandOptions {
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 60_000
const INTERRUPT_GRACE_MS = 1500
const STDERR_LIMIT_BYTES = 64 * 1024

/** One gdb process. Every command ends: by gdb's answer, by its timeout, by gdb's death or by close(). */
export class GdbSession {
  readonly #child: GdbProcess
  readonly #proxy: ProxyTransport
  readonly #transcript: GdbSessionOptions['transcript']
  readonly #timeoutMs: number
  readonly #spared: boolean
  readonly #asyncListeners = new Set<(record: AsyncRecord) => void>()
  readonly #looseText: Uint8Array[] = []
  #gdb!: GDB
  #queue: Promise<unknown> = Promise.resolve()
  #over: MiError | null = null
  #closing: Promise<void> | null = null
  #onPrompt: (() => void) | null = null
  #onOver: (() => void) | null = null
  #stderr = ''

  private constructor(child: GdbProcess, options: GdbSessionOptions) {
    this.#child = child
    this.#transcript = options.transcript
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    this.#spared = options.spared === true
    this.#proxy = new ProxyTransport({
      send: (line) => this.#send(line),
      onPrompt: () => this.#onPrompt?.(),
      onAsync: (record) => {
        for (const listener of this.#asyncListeners) listener(record)
      },
      onStream: (record) => this.#loose(record),
    })
    this.#listen()
  }

  /** Starts gdb and waits for its first prompt. Throws MiError: `not-found`, `died`, `timeout`. */
  static async start(options: GdbSessionOptions = {}): Promise<GdbSession> {
    const gdbJs = loadGdbJs()
    gdbJs.catch(() => {})
    const child = await startGdb(options.gdbPath ?? 'gdb', options.args ?? [], options.spared)
    const session = new GdbSession(child, options)
    const onAbort = () => void session.close()
    options.signal?.addEventListener('abort', onAbort, { once: true })
    if (options.signal?.aborted) onAbort()
    try {
      await session.#firstPrompt()
      const Constructor = await gdbJs
      session.#gdb = new Constructor(session.#proxy)
      holdEventLoop(child, false)
      return session
    } catch (error) {
      await session.close()
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Why no more commands are taken; null while they are. */
  get over(): MiError | null {
    return this.#over
  }

  /** Console and log text that answered no command, mostly what gdb said while it started; bounded. */
  get looseText(): string {
    return decodeText(Buffer.concat(this.#looseText))
  }

  /** gdb's stderr so far, the last 64 KiB of it at most. */
  get stderrText(): string {
    return this.#stderr
  }

  /** Calls `listener` for `*stopped`, `=thread-created` and the like until the returned function is called. */
  onAsync(listener: (record: AsyncRecord) => void): () => void {
    this.#asyncListeners.add(listener)
    return () => this.#asyncListeners.delete(listener)
  }

  /**
   * Sends one MI command, such as `-thread-info`, after those before it have ended. Rejects with MiError: `usage`
   * for a line end in it, `refused` with gdb's message, `timeout`, `died`, `protocol`, `closed`.
   */
  send(command: string, options: CommandOptions = {}): Promise<Answer> {
    if (/[\r\n\0]/.test(command)) {
      return Promise.reject(new MiError('usage', command, 'a line end or NUL inside a gdb command'))
    }
    const result = this.#queue.then(() => this.#run(command, options.timeoutMs ?? this.#timeoutMs))
    this.#queue = result.catch(() => {})
    return result
  }

  /** The text that the CLI command `command` prints. Rejects as send() does. */
  async console(command: string, options: CommandOptions = {}): Promise<string> {
    if (/[\r\n\0]/.test(command))
      throw new MiError('usage', command, 'a line end or NUL inside a gdb command')
    // `echo` flushes: text without a line end would else come after the answer.
    const answer = await this.send(`-interpreter-exec console ${miQuote(command)} "echo"`, options)
    return answer.console
  }

  /** Ends gdb: asked first, then told, then killed. Pending commands reject. Never throws, never hangs. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#end(new MiError('closed', '', 'the gdb session was closed'))
    holdEventLoop(this.#child, true)
    if (!hasEnded(this.#child)) {
      this.#child.stdin.end('-gdb-exit\n')
      if (!(await waitForEnd(this.#child, 700)) && !this.#spared) await endGdb(this.#child)
    }
    this.#child.stdout.destroy()
    this.#child.stderr.destroy()
    holdEventLoop(this.#child, false)
  }

  async #run(command: string, timeoutMs: number): Promise<Answer> {
    if (this.#over) throw new MiError(this.#over.kind, command, this.#over.gdbMessage, this.#over.hint)
    holdEventLoop(this.#child, true)
    const watch = this.#watch(command, timeoutMs)
    try {
      await this.#gdb.execMI(command).catch(() => {})
    } finally {
      await watch.stop()
      if (!this.#closing) holdEventLoop(this.#child, false)
    }
    const answer = watch.timedOut() ?? this.#proxy.takeAnswer()
    if (answer instanceof MiError) throw answer
    if (!answer) throw new MiError('protocol', command, 'gdb-js answered for gdb')
    if (answer.record.resultClass === 'error') {
      throw new MiError('refused', command, reasonOf(answer))
    }
    return answer
  }

  /** Interrupts the command after `timeoutMs`, and ends gdb when it does not heed that. */
  #watch(command: string, timeoutMs: number) {
    let error: MiError | null = null
    let hard: NodeJS.Timeout | undefined
    const soft = setTimeout(() => {
      error = new MiError('timeout', command, `no answer from gdb within ${timeoutMs} ms`)
      if (this.#spared) {
        this.#end(error)
        return
      }
      this.#child.kill('SIGINT')
      hard = setTimeout(() => {
        this.#end(error!)
        void endGdb(this.#child)
      }, INTERRUPT_GRACE_MS)
    }, timeoutMs)
    return {
      timedOut: () => error,
      stop: async () => {
        clearTimeout(soft)
        clearTimeout(hard)
        if (error && !this.#over) await this.#swallowInterrupt()
      },
    }
  }

  /** An interrupt that gdb noticed too late would end the next command: give it one of no value. */
  async #swallowInterrupt(): Promise<void> {
    const limit = setTimeout(() => {
      this.#end(new MiError('timeout', '', 'gdb did not come back from an interrupt'))
      void endGdb(this.#child)
    }, INTERRUPT_GRACE_MS)
    await this.#gdb.execMI('-interpreter-exec console "echo"').catch(() => {})
    clearTimeout(limit)
    this.#proxy.takeAnswer()
  }

  #firstPrompt(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void) => {
        clearTimeout(timer)
        this.#onPrompt = null
        this.#onOver = null
        outcome()
      }
      const timer = setTimeout(
        () =>
          settle(() => reject(new MiError('timeout', '', `gdb gave no prompt within ${this.#timeoutMs} ms`))),
        this.#timeoutMs,
      )
      this.#onPrompt = () => settle(resolve)
      this.#onOver = () => settle(() => reject(this.#over!))
    })
  }

  #listen(): void {
    const lines = new LineReader((line) => {
      this.#transcript?.('from-gdb', decodeText(line))
      this.#proxy.receive(line)
    })
    const errors = new LineReader((line) => {
      const text = decodeText(line)
      if (this.#stderr.length >= STDERR_LIMIT_BYTES) return
      this.#stderr = `${this.#stderr}${text}\n`.slice(0, STDERR_LIMIT_BYTES)
      this.#transcript?.('stderr', text)
    }, STDERR_LIMIT_BYTES)
    this.#child.stdout.on('data', (chunk: Buffer) => lines.push(chunk))
    this.#child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
    this.#child.once('exit', (code, signal) => {
      const die = () => {
        lines.end()
        errors.end()
        const last = this.#stderr.trim().split('\n').pop()
        const how = signal ? `was ended by ${signal}` : `ended with code ${code}`
        this.#end(new MiError('died', '', `gdb ${how}${last ? `: ${last}` : ''}`))
      }
      // Output still in the pipe comes before 'close', which a child of gdb that holds the pipe can delay for ever.
      const late = setTimeout(die, 300)
      this.#child.once('close', () => {
        clearTimeout(late)
        die()
      })
    })
  }

  /** No more commands; the one in flight fails with `why`. The first reason stays. */
  #end(why: MiError): void {
    this.#over ??= why
    this.#proxy.fail(this.#over)
    this.#onOver?.()
  }

  #send(line: string): void {
    this.#transcript?.('to-gdb', line.slice(0, -1))
    if (this.#over) this.#proxy.fail(this.#over)
    else this.#child.stdin.write(line)
  }

  #loose(record: StreamRecord): void {
    if (record.type === 'target') return
    this.#looseText.push(record.bytes)
    if (this.#looseText.length > 200) this.#looseText.shift()
  }
}

/** gdb's reason; for an exception in Python, which it reports without the exception, the end of the traceback. */
function reasonOf(answer: Answer): string {
  const message = textField(answer.record.results, 'msg') || 'gdb gives no reason'
  if (!/^Error while executing Python code/.test(message)) return message
  const lines = answer.log.split('\n').filter((line) => line.trim() !== '' && line !== message)
  return lines.length === 0 ? message : lines[lines.length - 1]!
}

async function loadGdbJs(): Promise<typeof GDB> {
  await import('regenerator-runtime/runtime.js')
  const module = (await import('gdb-js')) as { GDB?: typeof GDB; default?: { GDB: typeof GDB } }
  const found = module.default?.GDB ?? module.GDB
  if (!found) throw new MiError('protocol', '', 'gdb-js holds no GDB', 'npm install')
  return found
}
