// One client and what it has open: what the requests share.
import type { Debuggee, FramePlace } from '../../session/debuggee.js'
import type { Arguments } from './arguments.js'
import { DapError } from './errors.js'
import { FrameNumbers, References } from './references.js'
import type { DapServices, Work } from './services.js'
import { ChunkTables } from './variables/chunk-tables.js'

export class Conversation {
  readonly references = new References()
  readonly frames = new FrameNumbers()
  readonly chunkTables = new ChunkTables()
  /** What `initialize` said of the client. */
  wantsProgress = false
  wantsInvalidated = false
  linesStartAt: 0 | 1 = 1
  columnsStartAt: 0 | 1 = 1
  #opening: Promise<Debuggee> | null = null
  #label = ''
  #configured!: () => void
  readonly configured = new Promise<void>((resolve) => {
    this.#configured = resolve
  })

  constructor(
    readonly services: DapServices,
    readonly send: (event: string, body?: object) => void,
  ) {}

  /** Throws DapError `alreadyOpen`. A failed opening can be tried again. */
  open(label: string, open: () => Promise<Debuggee>): Promise<Debuggee> {
    if (this.#opening) throw new DapError('alreadyOpen', { label: this.#label })
    this.#label = label
    const opening = open()
    this.#opening = opening
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = null
    })
    return opening
  }

  /** Waits until what is being opened is open. Throws DapError `notOpen`. */
  async debuggee(): Promise<Debuggee> {
    const debuggee = await this.#opening?.catch(() => null)
    if (!debuggee) throw new DapError('notOpen')
    return debuggee
  }

  get label(): string {
    return this.#label
  }

  setConfigured(): void {
    this.#configured()
  }

  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = null
    const debuggee = await opening?.catch(() => null)
    await debuggee?.close()
  }

  /** The frame that an expression is about; the first thread's innermost where none is named. */
  frameOrFirst(number: number | null, debuggee: Debuggee): FramePlace {
    if (number !== null) return this.frames.placeOf(number)
    return { tid: debuggee.threads()[0]?.tid ?? 0, level: 0 }
  }
}

/** Answers one request: the body of the response. Throws DapError for what is the client's or the target's matter. */
export type RequestHandler = (
  conversation: Conversation,
  args: Arguments,
  work: Work & { start(title: string): void },
) => Promise<object | undefined> | object | undefined
