// Progress events of one request: only of work that takes long, and not too many of them.
import type { DebugProtocol } from '@vscode/debugprotocol'
import type { Work } from './services.js'

const QUIET_MS = 300
const BETWEEN_MS = 150

/** One request's work. Its client hears of it after a while, or at once where `titled`. */
export class RequestWork implements Work {
  readonly #abort = new AbortController()
  readonly #begun = performance.now()
  #lastTold = Number.NEGATIVE_INFINITY
  #isShown = false
  #isOver = false
  #lastBreath = performance.now()

  constructor(
    readonly requestSeq: number,
    /** Null where the client wants no progress. */
    private readonly send: ((event: string, body: object) => void) | null,
    private title: string,
  ) {}

  get id(): string {
    return `work-${this.requestSeq}`
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Shows it at once. */
  start(title: string): void {
    this.title = title
    this.#show()
  }

  tell(message: string, percent: number | null): void {
    const now = performance.now()
    if (this.#isOver || !this.send || now - this.#lastTold < BETWEEN_MS) return
    if (!this.#isShown && now - this.#begun < QUIET_MS) return
    this.#show()
    this.#lastTold = now
    const percentage = percent === null ? {} : { percentage: Math.max(0, Math.min(100, percent)) }
    const body: DebugProtocol.ProgressUpdateEvent['body'] = { progressId: this.id, message, ...percentage }
    this.send('progressUpdate', body)
  }

  async breathe(): Promise<void> {
    this.signal.throwIfAborted()
    if (performance.now() - this.#lastBreath < 10) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#lastBreath = performance.now()
    this.signal.throwIfAborted()
  }

  cancel(): void {
    this.#abort.abort()
  }

  end(): void {
    if (this.#isShown && !this.#isOver) this.send?.('progressEnd', { progressId: this.id })
    this.#isOver = true
  }

  #show(): void {
    if (this.#isShown || !this.send) return
    this.#isShown = true
    const body: DebugProtocol.ProgressStartEvent['body'] = {
      progressId: this.id,
      title: this.title,
      requestId: this.requestSeq,
      cancellable: true,
    }
    this.send('progressStart', body)
  }
}
