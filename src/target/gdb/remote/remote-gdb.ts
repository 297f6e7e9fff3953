// A gdb that is connected to a stub and answers in place what it is asked: bytes, files, threads, hold and release.

import { type Address, hex } from '../../../memory/address.js'
import { listFeatures } from '../../../mi/commands.js'
import { GdbSession } from '../../../mi/gdb-session.js'
import { MiError } from '../../../mi/mi-error.js'
import { cliQuote } from '../../../mi/quote.js'
import { TargetError } from '../../target.js'
import type { GdbOptions } from '../gdb-options.js'
import { ScratchFolder } from '../scratch-folder.js'
import { scriptArguments } from '../script-path.js'
import { type Endpoint, endpointForGdb, endpointText } from './endpoint.js'
import { PipePair } from './pipe-pair.js'
import { type Complaint, connectError, lostError } from './remote-errors.js'

/** For one packet, and gdb repeats some. */
const PACKET_SECONDS = 5
const SCRIPTS = ['arena_inspect_stub.py', 'arena_inspect_remote.py'] as const
const CONNECT_MS = 30_000
const ANSWER_MS = 30_000
const LEAVE_MS = 5000
const HEADER_BYTES = 8
const MOST_ANSWER_BYTES = 256 * 2 ** 20
/** gdb is inside one command from its connection to its end. */
const NO_LIMIT_MS = 2 ** 31 - 1
const LOOK_EVERY_MS = 3

/** What the connection told at once. */
export interface StubFacts {
  /** 0 when the stub does not say. */
  readonly pid: number
  /** gdb's version. */
  readonly version: string
  readonly architecture: string | null
}

/** How long the process stood still until now, in all. */
export interface StoodStill {
  readonly stoodStillMs: number
  readonly stops: number
  /** False where the stub could not stop it again: then it stands still until the connection ends. */
  readonly runs: boolean
}

/** A request that the stub cannot answer; the connection holds. */
export class StubRefusal extends Error {
  override readonly name = 'StubRefusal'
}

/** Synchronous questions to gdb. Once one failed for good, all fail alike. */
export class RemoteGdb {
  readonly folder: ScratchFolder
  readonly #endpoint: Endpoint
  readonly #session: GdbSession
  readonly #pipes: PipePair
  readonly #header = new Uint8Array(HEADER_BYTES)
  #over: TargetError | null = null
  #closed = false

  private constructor(endpoint: Endpoint, session: GdbSession, folder: ScratchFolder, pipes: PipePair) {
    this.#endpoint = endpoint
    this.#session = session
    this.folder = folder
    this.#pipes = pipes
  }

  /** Connects, and attaches to `pid` when it is given. Throws TargetError, or MiError when there is no gdb. */
  static async connect(
    endpoint: Endpoint,
    pid: number | null,
    options: GdbOptions,
  ): Promise<{ gdb: RemoteGdb; facts: StubFacts }> {
    const session = await GdbSession.start({ ...options, args: scriptArguments(SCRIPTS), spared: true })
    const folder = new ScratchFolder()
    let gdb: RemoteGdb | null = null
    try {
      if (!(await listFeatures(session)).includes('python')) {
        throw new TargetError(
          `${options.gdbPath ?? 'gdb'} has no Python, which reading through a stub takes`,
          'apt-get install gdb (gdb-minimal has none), or name another with --gdb PATH',
        )
      }
      gdb = new RemoteGdb(endpoint, session, folder, new PipePair(folder.path))
      return { gdb, facts: await gdb.#start(pid) }
    } catch (error) {
      if (gdb) gdb.#end()
      else {
        folder.remove()
        await session.close()
      }
      throw error
    }
  }

  /** Fills `into` from `at` on; fewer bytes only where the next cannot be read. Stops the process if it runs. */
  read(at: Address, into: Uint8Array): number {
    const bytes = this.#ask({ do: 'read', at: hex(at), size: into.length }, into)
    return bytes.length
  }

  /** The JSON that answers `request`. Throws StubRefusal, TargetError. */
  ask<T>(request: { readonly do: string; readonly [name: string]: unknown }): T {
    return JSON.parse(Buffer.from(this.#ask(request)).toString()) as T
  }

  /** The process runs on, if it can. Never throws. */
  close(): StoodStill | null {
    if (this.#closed) return null
    let last: StoodStill | null = null
    try {
      if (!this.#over)
        last = JSON.parse(Buffer.from(this.#ask({ do: 'quit' }, undefined, LEAVE_MS)).toString())
    } catch (error) {
      if (!(error instanceof TargetError) && !(error instanceof StubRefusal)) throw error
    }
    this.#end()
    return last
  }

  async #start(pid: number | null): Promise<StubFacts> {
    const where = endpointForGdb(this.#endpoint)
    const command = `arena-inspect-remote ${cliQuote(this.folder.path)} ${where} ${PACKET_SECONDS} ${pid ?? 0}`
    const died = { error: null as unknown }
    this.#session.console(command, { timeoutMs: NO_LIMIT_MS }).catch((error: unknown) => {
      died.error = error
    })
    const deadline = performance.now() + CONNECT_MS
    // Not in place: Ctrl-C ends us meanwhile, and by that gdb.
    while (true) {
      const got = this.#pipes.readNow(this.#header.subarray(0, 1))
      if (got === 1) break
      if (died.error !== null) throw this.#connectFailure(died.error)
      if (performance.now() > deadline) throw this.#fail({ code: 'silent', why: '' })
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
    const bytes = this.#answer(this.#header.subarray(1), undefined, performance.now() + ANSWER_MS)
    return JSON.parse(Buffer.from(bytes).toString()) as StubFacts
  }

  #connectFailure(error: unknown): unknown {
    if (!(error instanceof MiError)) return error
    return connectError(endpointText(this.#endpoint), error.gdbMessage)
  }

  #ask(request: object, into?: Uint8Array, withinMs = ANSWER_MS): Uint8Array {
    if (this.#over) throw this.#over
    this.#pipes.write(JSON.stringify(request))
    return this.#answer(this.#header, into, performance.now() + withinMs)
  }

  // `rest` is what of the header is still to come.
  #answer(rest: Uint8Array, into: Uint8Array | undefined, deadline: number): Uint8Array {
    this.#fill(rest, deadline, into?.length)
    const header = new DataView(this.#header.buffer)
    const isError = header.getUint32(0, true) !== 0
    const length = header.getUint32(4, true)
    if (length > (isError || !into ? MOST_ANSWER_BYTES : into.length)) {
      throw this.#fail({ code: 'closed', why: 'an answer of an odd length' })
    }
    const bytes = into && !isError ? into.subarray(0, length) : new Uint8Array(length)
    this.#fill(bytes, deadline)
    if (!isError) return bytes
    const complaint = JSON.parse(Buffer.from(bytes).toString()) as Complaint
    if (complaint.code === 'refused') throw new StubRefusal(complaint.why)
    throw this.#fail(complaint)
  }

  #fill(bytes: Uint8Array, deadline: number, expectedBytes?: number): void {
    const end = this.#pipes.fill(bytes, deadline, expectedBytes)
    if (end === 'late') throw this.#fail({ code: 'silent', why: '' })
    if (end === 'closed') throw this.#fail({ code: 'gdb', why: this.#session.stderrText })
  }

  /** Nothing can be asked any more. */
  #fail(complaint: Complaint): TargetError {
    const where = endpointText(this.#endpoint)
    this.#over =
      complaint.code === 'connect' ? connectError(where, complaint.why) : lostError(where, complaint)
    return this.#over
  }

  #end(): void {
    this.#closed = true
    this.#over ??= new TargetError('the connection was closed', 'open the target again')
    this.#pipes.close()
    this.folder.remove()
    void this.#session.close()
  }
}
