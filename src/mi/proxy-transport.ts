// Stands between gdb-js and gdb: gives every command a token, matches answers by it, and lets gdb-js see nothing but
// answers it can take. gdb-js 1.3.0 matches answers by order, hangs on lines outside its grammar and cuts UTF-8.
import { PassThrough } from 'node:stream'
import { MiError } from './mi-error.js'
import { decodeText, MiSyntaxError, parseRecord } from './parse-record.js'
import type { AsyncRecord, ResultRecord, StreamRecord } from './record.js'

/** A command that gdb has not answered yet, and what came in meanwhile. */
interface Flight {
  readonly token: number
  readonly command: string
  readonly console: Uint8Array[]
  readonly log: Uint8Array[]
}

/** gdb's answer to one command. */
export interface Answer {
  readonly record: ResultRecord
  /** Console output between the command and its answer. */
  readonly console: string
  /** Log output (gdb's messages) between the command and its answer. */
  readonly log: string
}

export interface ProxyEvents {
  /** A line is to be written to gdb; it has its line end. */
  send(line: string): void
  onPrompt(): void
  onAsync(record: AsyncRecord): void
  /** Text that belongs to no command. */
  onStream(record: StreamRecord): void
}

/** The child process that gdb-js believes to hold. One command in flight at a time. */
export class ProxyTransport {
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly stdin = { write: (text: string): boolean => this.#write(text) }
  readonly #events: ProxyEvents
  #nextToken = 1
  #flight: Flight | null = null
  #answer: Answer | MiError | null = null

  constructor(events: ProxyEvents) {
    this.#events = events
  }

  /** gdb-js asks for signals through this; the session sends its own. */
  kill(): void {}

  /** One line of gdb's output, without its end. */
  receive(line: Uint8Array): void {
    let record: ReturnType<typeof parseRecord>
    try {
      record = parseRecord(line)
    } catch (error) {
      if (!(error instanceof MiSyntaxError)) throw error
      this.#garbage(line, error)
      return
    }
    switch (record.type) {
      case 'prompt':
        this.#events.onPrompt()
        return
      case 'result':
        this.#result(record)
        return
      case 'console':
      case 'target':
      case 'log':
        this.#stream(record)
        return
      default:
        this.#events.onAsync(record)
    }
  }

  /** Ends the command in flight, if any, with `failure`; an answer that comes later is dropped. */
  fail(failure: MiError): void {
    if (this.#flight) this.#finish(failure)
  }

  /** What the last command came to; null when it was never answered. To be taken once. */
  takeAnswer(): Answer | MiError | null {
    const answer = this.#answer
    this.#answer = null
    return answer
  }

  #write(text: string): boolean {
    const command = text.endsWith('\n') ? text.slice(0, -1) : text
    this.#flight = { token: this.#nextToken++, command, console: [], log: [] }
    this.#answer = null
    this.#events.send(`${this.#flight.token}${command}\n`)
    return true
  }

  #result(record: ResultRecord): void {
    const flight = this.#flight
    if (!flight || record.token !== flight.token) return
    const text = (parts: Uint8Array[]) => decodeText(Buffer.concat(parts))
    this.#finish({ record, console: text(flight.console), log: text(flight.log) })
  }

  #stream(record: StreamRecord): void {
    const flight = this.#flight
    if (!flight || record.type === 'target') this.#events.onStream(record)
    else flight[record.type].push(record.bytes)
  }

  /** A line that is no record is the inferior's or a stray message, unless it starts as our answer. */
  #garbage(line: Uint8Array, error: MiSyntaxError): void {
    const flight = this.#flight
    if (!flight) return
    const start = decodeText(line.subarray(0, 100))
    if (!start.startsWith(`${flight.token}^`)) return
    this.#finish(
      new MiError('protocol', flight.command, `gdb's answer cannot be read: ${error.message}: ${start}`),
    )
  }

  /** gdb-js gets the bare class of the answer: the smallest thing that settles its promise. */
  #finish(answer: Answer | MiError): void {
    this.#flight = null
    this.#answer = answer
    const failed = answer instanceof MiError || answer.record.resultClass === 'error'
    this.stdout.write(failed ? '^error,msg="see the session"\n' : '^done\n')
  }
}
