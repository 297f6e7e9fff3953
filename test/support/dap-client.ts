// A debug adapter client of the tests' own: sends what it is told to, keeps the transcript, and expects message by message.

import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { DebugProtocol as P } from '@vscode/debugprotocol'
import { endWithUs } from './end-with-us.js'
import { ROOT } from './programs.js'
import { DEADLINE_MS } from './wait-until.js'

const CLI = join(ROOT, 'dist/cli.js')

type Message = P.Request | P.Response | P.Event

/** An answer that was an error, as the client got it. */
export interface Refused {
  readonly message: string
  readonly id: number
  readonly error: P.Message
}

export class DapClient {
  readonly transcript: Message[] = []
  /** Set for an adapter that was started for this client. */
  child: ChildProcess | null = null
  readonly #output: Writable
  readonly #waiting = new Set<() => void>()
  #seq = 0
  #rest = Buffer.alloc(0)
  /** How much of the transcript `expectEvent` has passed, by event. */
  readonly #passed = new Map<string, number>()
  isClosed = false

  constructor(input: Readable, output: Writable) {
    this.#output = output
    output.on('error', () => {})
    input.on('error', () => {})
    input.on('data', (data: Buffer) => this.#receive(data))
    input.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  /** A new adapter on its stdin and stdout. */
  static spawn(args: readonly string[] = [], node = process.execPath): DapClient {
    const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, ...env } = process.env
    const child = spawn(node, [CLI, 'dap', ...args], { stdio: ['pipe', 'pipe', 'inherit'], env })
    endWithUs(child)
    const client = new DapClient(child.stdout!, child.stdin!)
    client.child = child
    return client
  }

  static async connect(port: number): Promise<DapClient> {
    const socket = connect(port, '127.0.0.1')
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new DapClient(socket, socket)
  }

  /** Sends bytes as they are. */
  raw(bytes: string | Uint8Array): void {
    this.#output.write(bytes)
  }

  /** Ends our side without a word, as a client does that is gone. */
  vanish(): void {
    this.#output.destroy()
  }

  /** Sends a request; its number. */
  send(command: string, args?: unknown): number {
    const seq = ++this.#seq
    const request = { seq, type: 'request', command, ...(args === undefined ? {} : { arguments: args }) }
    this.transcript.push(request as P.Request)
    const json = JSON.stringify(request)
    this.raw(`Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`)
    return seq
  }

  /** The answer to request `seq`, good or bad. */
  async response(seq: number): Promise<P.Response> {
    const found = () =>
      this.transcript.find(
        (m): m is P.Response => m.type === 'response' && (m as P.Response).request_seq === seq,
      )
    await this.#until(`the answer to request ${seq}`, () => found() !== undefined)
    return found()!
  }

  /** Sends a request and expects it to succeed. */
  async expect<T>(command: string, args?: unknown): Promise<T> {
    const response = await this.response(this.send(command, args))
    if (!response.success) throw new Error(`${command} failed: ${response.message}`)
    if (response.command !== command) throw new Error(`${command} was answered as ${response.command}`)
    return response.body as T
  }

  async expectError(command: string, args?: unknown): Promise<Refused> {
    return this.refusalOf(this.send(command, args))
  }

  async refusalOf(seq: number): Promise<Refused> {
    const response = await this.response(seq)
    if (response.success)
      throw new Error(`${response.command} should have failed: ${JSON.stringify(response.body)}`)
    const { error } = response.body as { error: P.Message }
    return { message: response.message!, id: error.id, error }
  }

  /** The next event of that name that no earlier call has had. */
  async expectEvent<T>(event: string): Promise<T> {
    const all = () =>
      this.transcript.filter((m): m is P.Event => m.type === 'event' && (m as P.Event).event === event)
    const index = this.#passed.get(event) ?? 0
    this.#passed.set(event, index + 1)
    await this.#until(`event ${event}`, () => all().length > index)
    return all()[index]!.body as T
  }

  expectInitialize(args: Partial<P.InitializeRequestArguments> = {}): Promise<P.Capabilities> {
    return this.expect('initialize', {
      adapterID: 'arena-inspect',
      pathFormat: 'path',
      linesStartAt1: true,
      columnsStartAt1: true,
      ...args,
    })
  }

  /** From `initialize` to the `stopped` event. */
  async expectOpened(command: 'launch' | 'attach', args: object): Promise<P.StoppedEvent['body']> {
    await this.expectInitialize({ supportsProgressReporting: true, supportsInvalidatedEvent: true })
    await this.expectEvent('initialized')
    const opening = this.expect(command, args)
    await this.expect('configurationDone')
    await opening
    return this.expectEvent('stopped')
  }

  async expectThreads(): Promise<P.Thread[]> {
    return (await this.expect<P.ThreadsResponse['body']>('threads')).threads
  }

  expectStackTrace(threadId: number, page: object = {}): Promise<P.StackTraceResponse['body']> {
    return this.expect('stackTrace', { threadId, ...page })
  }

  async expectScopes(frameId: number): Promise<ReadonlyMap<string, P.Scope>> {
    const { scopes } = await this.expect<P.ScopesResponse['body']>('scopes', { frameId })
    return new Map(scopes.map((scope) => [scope.name, scope]))
  }

  async expectVariables(variablesReference: number, page: object = {}): Promise<P.Variable[]> {
    return (await this.expect<P.VariablesResponse['body']>('variables', { variablesReference, ...page }))
      .variables
  }

  expectEvaluate(expression: string, more: object = {}): Promise<P.EvaluateResponse['body']> {
    return this.expect('evaluate', { expression, context: 'repl', ...more })
  }

  expectMemory(
    memoryReference: string,
    count: number,
    offset?: number,
  ): Promise<NonNullable<P.ReadMemoryResponse['body']>> {
    return this.expect('readMemory', { memoryReference, count, ...(offset === undefined ? {} : { offset }) })
  }

  /** Disconnects; an adapter of its own must then end by itself. */
  async expectDisconnect(): Promise<void> {
    await this.expect('disconnect', {})
    await this.#until('the adapter closes', () => this.isClosed)
    if (this.child && this.child.exitCode === null && this.child.signalCode === null)
      await new Promise((resolve) => this.child!.once('exit', resolve))
  }

  async #until(what: string, check: () => boolean): Promise<void> {
    const end = Date.now() + DEADLINE_MS
    while (!check()) {
      if (this.isClosed) throw new Error(`the adapter closed before ${what}`)
      if (Date.now() > end)
        throw new Error(`never came: ${what}; ${JSON.stringify(this.transcript.slice(-3))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, 500)
        const waiting = this.#waiting
        waiting.add(wake)
        function wake() {
          clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
      })
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  #receive(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data])
    for (;;) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) break
      const header = this.#rest.toString('latin1', 0, end)
      const length = Number(/^Content-Length: (\d+)$/.exec(header)?.[1])
      if (!Number.isInteger(length)) throw new Error(`not a header: ${header}`)
      if (this.#rest.length < end + 4 + length) break
      this.transcript.push(JSON.parse(this.#rest.toString('utf8', end + 4, end + 4 + length)) as Message)
      this.#rest = this.#rest.subarray(end + 4 + length)
    }
    this.#wake()
  }
}
