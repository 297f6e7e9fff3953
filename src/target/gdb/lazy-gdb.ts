// A gdb that starts with the first question, and again when it has died, but not for ever.
import type { ReadyGdb } from './scripted-gdb.js'

const MAX_STARTS = 3

/** Owner of at most one gdb at a time. */
export class LazyGdb {
  readonly #start: (signal: AbortSignal) => Promise<ReadyGdb>
  #abort = new AbortController()
  #ready: Promise<ReadyGdb> | null = null
  #starts = 0

  constructor(start: (signal: AbortSignal) => Promise<ReadyGdb>) {
    this.#start = start
  }

  /** The running gdb; starts one when there is none. Throws MiError. */
  async ready(): Promise<ReadyGdb> {
    const now = await this.#ready?.catch(() => null)
    const dead = now === null || now === undefined || now.session.over !== null
    if (dead && this.#starts < MAX_STARTS) {
      this.#starts++
      this.#abort = new AbortController()
      this.#ready = this.#start(this.#abort.signal)
    }
    return this.#ready!
  }

  /** Ends gdb; the next ready() starts a new one. */
  async restart(): Promise<void> {
    await this.close()
    this.#ready = null
    this.#starts = 0
  }

  /** Also while it starts. */
  async close(): Promise<void> {
    this.#abort.abort()
    const now = await this.#ready?.catch(() => null)
    await now?.session.close()
  }
}
