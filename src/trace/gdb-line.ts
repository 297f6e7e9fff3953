// The line from gdb-scripts/arena_inspect_trace.py to us: a private Unix socket with one JSON text a line.

import { writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { ScratchFolder } from '../target/gdb/scratch-folder.js'

/** Times are milliseconds since 1970, addresses `0x…`. */
export type GdbLineEvent =
  | { readonly k: 'recording' }
  | {
      readonly k: 'map'
      readonly c: 'mmap' | 'mremap' | 'brk'
      readonly t: number
      /** Thread id and name. */
      readonly i: number
      readonly n: string
      readonly a: string
      readonly b: number
      /** May be a heap of malloc. */
      readonly h: boolean
      /** Program counters; `cut`: outer ones are missing. */
      readonly s: readonly string[]
      readonly cut: boolean
    }
  | { readonly k: 'unmap'; readonly t: number; readonly a: string; readonly b: number }
  | { readonly k: 'move'; readonly t: number; readonly f: string; readonly a: string; readonly b: number }
  | { readonly k: 'lost'; readonly t: number; readonly n: number }
  | { readonly k: 'exec'; readonly t: number }
  /** A thread stands until it is told where code lies now. */
  | { readonly k: 'modules'; readonly tid: number }
  /** The process was let go, or is gone: asked, exited, stopped (by a signal), moved (gdb has to start anew), refused, defect. */
  | { readonly k: 'end'; readonly why: string; readonly what?: string; readonly lost: number }

/** What the script is told at first, and (modules) when it asks. */
export interface GdbTracePlan {
  readonly pid: number
  readonly socket: string
  readonly machine: string
  readonly wordBytes: number
  readonly pageBytes: number
  readonly minimumBytes: number
  readonly modules: readonly GdbTraceModule[]
}

export interface GdbTraceModule {
  readonly file: string
  readonly buildId: string | null
  readonly bias: number
  readonly extents: readonly (readonly [number, number])[]
}

/** One socket for one script. */
export class GdbLine {
  readonly #folder = new ScratchFolder()
  readonly #server: Server
  #socket: Socket | null = null
  #files = 0
  #resolve: () => void = () => {}
  /** Resolves when the script has closed it, or its gdb is gone. */
  readonly closed = new Promise<void>((resolve) => {
    this.#resolve = resolve
  })

  private constructor(onEvent: (event: GdbLineEvent) => void) {
    this.#server = createServer((socket) => this.#accept(socket, onEvent))
  }

  static async open(onEvent: (event: GdbLineEvent) => void): Promise<GdbLine> {
    const line = new GdbLine(onEvent)
    await new Promise<void>((resolve, reject) => {
      line.#server.once('error', reject)
      line.#server.listen(line.socketPath, resolve)
    })
    return line
  }

  get socketPath(): string {
    return join(this.#folder.path, 'line')
  }

  /** A file with `content` for the script, which removes it. */
  file(content: unknown): string {
    const path = join(this.#folder.path, `plan-${this.#files++}.json`)
    writeFileSync(path, JSON.stringify(content), { mode: 0o600 })
    return path
  }

  close(): void {
    this.#server.close()
    this.#socket?.destroy()
    this.#folder.remove()
    this.#resolve()
  }

  #accept(socket: Socket, onEvent: (event: GdbLineEvent) => void): void {
    this.#socket = socket
    // One script, one line: anybody else who could open the folder is turned away.
    this.#server.close()
    socket.on('error', () => {})
    socket.on('close', () => this.#resolve())
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => {
      const lines = (text + more).split('\n')
      text = lines.pop()!
      for (const line of lines) onEvent(JSON.parse(line) as GdbLineEvent)
    })
  }
}
