// The line between us and the script in gdb: a private Unix socket. Its end tells each side that the other is gone.
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { ScratchFolder } from '../target/gdb/scratch-folder.js'
import type { ScriptAnswer, VisitEvent } from './plan.js'

/** Answers one event; `go` false or a rejection breaks the visit off. Events but `pause` need no answer. */
export type OnEvent = (event: VisitEvent) => Promise<boolean>

/** One socket for one script; the folder also holds the plan. Closed at the latest when this process ends. */
export class Rendezvous {
  readonly #folder = new ScratchFolder()
  readonly #server: Server
  readonly #onEvent: OnEvent
  #socket: Socket | null = null
  #error: unknown = null
  #resolve: (answer: ScriptAnswer | null) => void = () => {}
  /** The script's answer; null when it ended without one. */
  readonly answered = new Promise<ScriptAnswer | null>((resolve) => {
    this.#resolve = resolve
  })

  private constructor(onEvent: OnEvent) {
    this.#onEvent = onEvent
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  static async open(onEvent: OnEvent): Promise<Rendezvous> {
    const rendezvous = new Rendezvous(onEvent)
    await new Promise<void>((resolve, reject) => {
      rendezvous.#server.once('error', reject)
      rendezvous.#server.listen(rendezvous.socketPath, resolve)
    })
    return rendezvous
  }

  get socketPath(): string {
    return join(this.#folder.path, 'line')
  }

  get planPath(): string {
    return join(this.#folder.path, 'plan.json')
  }

  /** What an event's answer threw, the first time. */
  get error(): unknown {
    return this.#error
  }

  /** Nothing more is begun in the process; what was changed is put back, and the script answers. */
  hangUp(): void {
    this.#socket?.end()
    this.#server.close()
  }

  close(): void {
    this.hangUp()
    this.#socket?.destroy()
    this.#folder.remove()
  }

  #accept(socket: Socket): void {
    this.#socket = socket
    // One script, one line: anybody else who could open the folder is turned away.
    this.#server.close()
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => this.#resolve(null))
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        void this.#answer(socket, text.slice(0, end))
        text = text.slice(end + 1)
      }
    })
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    const event = JSON.parse(line) as VisitEvent
    if (event.event === 'answer') {
      this.#resolve(event.answer)
      return
    }
    let go = false
    try {
      go = await this.#onEvent(event)
    } catch (error) {
      this.#error ??= error
    }
    if (event.event === 'pause' && socket.writable) socket.write(`${JSON.stringify({ go })}\n`)
  }
}
