// What `perf script` prints, line by line: samples of the target's system calls.

/** One frame of perf's: `ip` is the file offset where `dso` names a file, else an address. */
export interface PerfFrame {
  readonly ip: bigint
  readonly dso: string
}

export interface PerfSample {
  readonly pid: number
  readonly tid: number
  readonly threadName: string
  /** Milliseconds of CLOCK_MONOTONIC. */
  readonly atMs: number
  /** `sys_enter_mmap` and the like; `lost` for what perf's buffer had no room for. */
  readonly event: string
  /** Arguments by the kernel's names for them. */
  readonly fields: ReadonlyMap<string, bigint>
  /** What a call returned, as unsigned 64 bits; how many for `lost`; else null. */
  readonly value: bigint | null
  /** Innermost first; empty when the sample is without a stack. */
  readonly frames: readonly PerfFrame[]
  /** The stack pointer where the stack was taken. */
  readonly stackPointer: bigint | null
}

/** What `perf script -F` is to print so that this can read it. */
export const SCRIPT_FIELDS = 'trace:comm,pid,tid,time,event,trace,ip,dso,uregs'

const HEADER =
  /^ *(.*?) +(\d+)\/(\d+) +(\d+\.\d+): +(?:\w+:(sys_(?:enter|exit)_\w+): (.*)|PERF_RECORD_(LOST\w*) lost (\d+))/
const MAY_BE_HEADER = /: +syscalls:sys_|: PERF_RECORD_LOST/
const FRAME = /^\t +([0-9a-f]+) (?:.*?\(([/[].*)\)$)?/
const STACK_POINTER = /^ ABI:\d.* SP:0x([0-9a-f]+)/i
const FIELD = /(\w+): (0x[0-9a-f]+)/g
/** Longer lines are not perf's. */
const MOST_LINE_CHARACTERS = 1 << 16

/** Reads text in any pieces; lines that are none of perf's samples are passed over. */
export class PerfScript {
  readonly #onSample: (sample: PerfSample) => void
  #rest = ''
  #sample: (PerfSample & { readonly frames: PerfFrame[]; stackPointer: bigint | null }) | null = null

  constructor(onSample: (sample: PerfSample) => void) {
    this.#onSample = onSample
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    if (this.#rest.length > MOST_LINE_CHARACTERS) this.#rest = ''
    for (const line of lines) this.#line(line)
  }

  /** There is no more. */
  end(): void {
    this.write('\n')
    this.#pass()
  }

  #line(line: string): void {
    const header = MAY_BE_HEADER.test(line) ? HEADER.exec(line) : null
    if (header) {
      this.#pass()
      const [, threadName, pid, tid, seconds, event, rest, lost, count] = header
      const text = rest ?? ''
      const returned = event?.startsWith('sys_exit') ? /^0x[0-9a-f]+/.exec(text)?.[0] : count
      this.#sample = {
        pid: Number(pid),
        tid: Number(tid),
        threadName: threadName!,
        atMs: Number(seconds) * 1000,
        event: lost === undefined ? event! : 'lost',
        fields: new Map([...text.matchAll(FIELD)].map(([, name, value]) => [name!, BigInt(value!)])),
        value: returned === undefined ? null : BigInt(returned),
        frames: [],
        stackPointer: null,
      }
      return
    }
    if (this.#sample === null) return
    const frame = FRAME.exec(line)
    if (frame) this.#sample.frames.push({ ip: BigInt(`0x${frame[1]}`), dso: frame[2] ?? '' })
    else {
      const registers = STACK_POINTER.exec(line)
      if (registers) this.#sample.stackPointer = BigInt(`0x${registers[1]}`)
    }
  }

  #pass(): void {
    const sample = this.#sample
    this.#sample = null
    if (sample) this.#onSample(sample)
  }
}
