// What a debugger knows of threads that stand still: frames, variables, registers, instructions, sources. It only reads.
import type { Address } from '../memory/address.js'

/** A frame: 0 is the innermost. */
export interface FramePlace {
  readonly tid: number
  readonly level: number
}

/** A source file by debug information. */
export interface SourceFile {
  /** Absolute where debug information says so. */
  readonly path: string
  /** True where this machine has a file there. */
  readonly isHere: boolean
}

export interface CodeFrame {
  readonly level: number
  readonly pc: Address
  readonly functionName: string | null
  readonly source: SourceFile | null
  readonly line: number | null
  /** Path of the library, where there is no source. */
  readonly library: string | null
}

export interface CodeVariable {
  readonly name: string
  /** As gdb prints it; `{…}` and `[N]` of what can be opened. */
  readonly value: string
  readonly type: string | null
  /** Where a pointer leads, or where a structure or an array lies; null of all else. */
  readonly address: Address | null
  /** What evaluates to the same in the same frame; null where there is no such text. */
  readonly expression: string | null
  /** How many there are inside. */
  readonly children: number
  /** True: they are the elements 0 … children−1 of an array. */
  readonly isArray: boolean
  /** Some of what is inside; null where children is 0. Throws CodeRefusal. */
  readonly open: ((from: number, count: number) => Promise<readonly CodeVariable[]>) | null
}

export interface CodeRegister {
  readonly name: string
  readonly value: bigint | null
  /** As gdb writes it; vectors are tuples. */
  readonly text: string
}

export interface CodeInstruction {
  readonly address: Address
  /** `main+4`; null outside of known functions. */
  readonly symbol: string | null
  /** Bytes in hexadecimal, with spaces; empty where there is no instruction. */
  readonly bytes: string
  readonly text: string
  readonly source: SourceFile | null
  readonly line: number | null
}

/** gdb did not answer that: its own words, and whether it is gone or only refuses. */
export class CodeRefusal extends Error {
  override readonly name = 'CodeRefusal'
  constructor(
    message: string,
    readonly isFailure: boolean,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** Every question can throw CodeRefusal. Questions are answered one after the other. */
export interface Code {
  /** At most `count` frames from `from` on; fewer: the stack ends there. */
  frames(tid: number, from: number, count: number): Promise<readonly CodeFrame[]>
  variables(
    place: FramePlace,
  ): Promise<{ readonly args: readonly CodeVariable[]; readonly locals: readonly CodeVariable[] }>
  /** `general`: those that programs are written with; false: all others. */
  registers(place: FramePlace, general: boolean): Promise<readonly CodeRegister[]>
  evaluate(place: FramePlace, expression: string): Promise<CodeVariable>
  /** `before` instructions that end at `at`, and `after` from there on; where none can be read or told: text ''. */
  disassemble(at: Address, before: number, after: number): Promise<readonly CodeInstruction[]>
  sources(): Promise<readonly SourceFile[]>
  /** What gdb's own command line prints for `command`. */
  command(command: string): Promise<string>
  /** Whole commands that begin with `text`. */
  complete(text: string): Promise<readonly string[]>
  close(): Promise<void>
}
