// The debug adapter of one client, on the protocol server of @vscode/debugadapter.
// Its DebugSession is passed over: it ends the process, dispatches no `modules` and refuses clients that name no path format.
import type { Readable, Writable } from 'node:stream'
import { Event, Response } from '@vscode/debugadapter/lib/messages.js'
import { ProtocolServer } from '@vscode/debugadapter/lib/protocol.js'
import type { DebugProtocol } from '@vscode/debugprotocol'
import { printable } from '../../format/printable.js'
import { CodeRefusal, TargetError } from '../../session/debuggee.js'
import { Arguments } from './arguments.js'
import { Conversation } from './conversation.js'
import { DapError } from './errors.js'
import { MessageGuard } from './message-guard.js'
import { RequestWork } from './progress.js'
import { REQUESTS } from './requests.js'
import { ConsoleError, type DapServices } from './services.js'

const MOST_AT_ONCE = 1000
/** What has something to put away when it is cancelled: answered when it is done with that. */
const WHOLE = new Set(['launch', 'attach', 'disconnect'])

/** Answers one client until it disconnects or is gone; requests run side by side. */
export class Adapter extends ProtocolServer {
  readonly #conversation: Conversation
  readonly #work = new Map<number, RequestWork>()
  #isOver = false
  #end!: () => void
  /** Resolves when the client has gone and the target is closed. */
  readonly ended = new Promise<void>((resolve) => {
    this.#end = resolve
  })

  constructor(services: DapServices) {
    super()
    this.#conversation = new Conversation(services, (event, body) => {
      if (!this.#isOver) this.sendEvent(new Event(event, body))
    })
  }

  /** `isSocket`: what does not speak the protocol is cut off at its first bytes. */
  serve(input: Readable, output: Writable, isSocket: boolean): void {
    const guard = new MessageGuard((what) => {
      this.#malformed(what)
      if (isSocket) input.destroy()
    })
    // The server's own words for a message that is no JSON, or no object.
    this.on('error', ({ body }: { body?: unknown }) => {
      if (String(body).startsWith('Error handling data')) this.#malformed(String(body))
    })
    for (const stream of [input, output]) stream.on('error', () => this.#over())
    input.on('close', () => this.#over())
    input.on('end', () => this.#over())
    output.on('close', () => this.#over())
    this.start(guard, output)
    input.pipe(guard)
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    if (this.#isOver) return
    const { seq, command } = request
    if (!Number.isSafeInteger(seq) || typeof command !== 'string') {
      this.#malformed('a request without a number or a name')
      return
    }
    const response = new Response(request)
    if (command === 'cancel') this.#cancel(response, request.arguments)
    else void this.#answer(response, command, request.arguments)
  }

  async #answer(response: DebugProtocol.Response, command: string, values: unknown): Promise<void> {
    const conversation = this.#conversation
    const seq = response.request_seq
    const send = conversation.wantsProgress ? conversation.send : null
    const work = new RequestWork(seq, send, command)
    try {
      if (this.#work.size >= MOST_AT_ONCE)
        throw new DapError('tooMuch', { what: 'requests under way', most: String(MOST_AT_ONCE) })
      this.#work.set(seq, work)
      const handler = REQUESTS.get(command)
      if (!handler) throw new DapError('unknownRequest', { command: JSON.stringify(command.slice(0, 100)) })
      if (command === 'disconnect') this.#cancelAll(seq)
      const answer = Promise.resolve(handler(conversation, new Arguments(command, values), work))
      const body = await (WHOLE.has(command) ? answer : untilAborted(answer, work.signal))
      if (body !== undefined) response.body = body
    } catch (error) {
      fail(response, work.signal.aborted ? new DapError('cancelled') : toDapError(error))
    } finally {
      if (this.#work.get(seq) === work) this.#work.delete(seq)
      work.end()
    }
    if (this.#isOver) return
    this.sendResponse(response)
    if (response.success && command === 'initialize') this.sendEvent(new Event('initialized'))
    if (command === 'disconnect') this.#over()
  }

  #cancel(response: DebugProtocol.Response, values: unknown): void {
    const { requestId, progressId } = (values ?? {}) as { requestId?: unknown; progressId?: unknown }
    for (const [seq, work] of this.#work) {
      if (seq === requestId || work.id === progressId) work.cancel()
    }
    this.sendResponse(response)
  }

  #cancelAll(but: number): void {
    for (const [seq, work] of this.#work) if (seq !== but) work.cancel()
  }

  #malformed(what: string): void {
    if (this.#isOver) return
    const { message } = new DapError('malformed', { what })
    this.sendEvent(new Event('output', { category: 'important', output: `${message}\n` }))
  }

  // Once; also when the client just vanished.
  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelAll(-1)
    this.stop()
    void this.#conversation.close().finally(() => this.#end())
  }
}

/** gdb finishes what it is at, and nobody waits for that. */
async function untilAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  answer.catch(() => {})
  let stop: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new DapError('cancelled'))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function toDapError(error: unknown): DapError {
  if (error instanceof DapError) return error
  if (error instanceof TargetError)
    return new DapError('cannotOpen', { what: error.message, hint: error.hint })
  if (error instanceof ConsoleError) return new DapError('usage', { what: error.message, hint: error.hint })
  if (error instanceof CodeRefusal) {
    return error.isFailure
      ? new DapError('gdbFailed', { what: error.message, hint: error.hint })
      : new DapError('refused', { what: error.message })
  }
  return new DapError('defect', { what: error instanceof Error ? error.message : String(error) })
}

function fail(response: DebugProtocol.Response, error: DapError): void {
  response.success = false
  response.message = error.kind === 'cancelled' ? 'cancelled' : printable(error.message)
  response.body = {
    error: {
      id: error.id,
      format: error.format,
      variables: Object.fromEntries(
        Object.entries(error.variables).map(([name, text]) => [name, printable(text)]),
      ),
      showUser: error.kind !== 'cancelled',
    },
  }
}
