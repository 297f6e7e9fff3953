// Types of the part of gdb-js 1.3.0 that is used here; the package ships none.
declare module 'gdb-js' {
  /** What gdb-js needs of a child process. */
  export interface GdbTransport {
    readonly stdin: { write(text: string, encoding?: unknown): unknown }
    readonly stdout: NodeJS.ReadableStream
    readonly stderr: NodeJS.ReadableStream
    kill(signal?: string): unknown
  }
  export class GDB extends NodeJS.EventEmitter {
    constructor(process: GdbTransport)
    /** Resolves with the results of `^done`; rejects on `^error`. One command at a time, answers matched by order. */
    execMI(command: string): Promise<unknown>
  }
}

declare module 'regenerator-runtime/runtime.js'
