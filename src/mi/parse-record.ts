// Parser of one line of gdb/MI output: recursive descent over bytes; returns a record or throws MiSyntaxError.
import type { AsyncRecord, MiRecord, MiResult, MiValue } from './record.js'

/** The line is not an MI output record; `at` is the byte at which it stopped being one. */
export class MiSyntaxError extends Error {
  override readonly name = 'MiSyntaxError'
  constructor(
    what: string,
    readonly at: number,
  ) {
    super(`${what} at byte ${at} of an MI record`)
  }
}

const MAX_DEPTH = 100
const STREAMS = { '~': 'console', '@': 'target', '&': 'log' } as const
const ASYNCS = { '*': 'exec', '+': 'status', '=': 'notify' } as const
const ESCAPES: Record<string, number> = {
  a: 0x07,
  b: 0x08,
  e: 0x1b,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
  '"': 0x22,
  '\\': 0x5c,
  "'": 0x27,
}

/** The record on `line`, which holds no line end; throws MiSyntaxError for anything else. */
export function parseRecord(line: Uint8Array): MiRecord {
  return new Parser(line).record()
}

/** Bytes as UTF-8 text; what is not UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return UTF8.decode(bytes)
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

class Parser {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  record(): MiRecord {
    if (this.#isPrompt()) return { type: 'prompt' }
    const stream = STREAMS[this.#peek() as keyof typeof STREAMS]
    if (stream !== undefined) {
      this.#at++
      const bytes = this.#cString()
      this.#end()
      return { type: stream, bytes }
    }
    const token = this.#token()
    const sign = this.#peek()
    if (sign !== '^' && !(sign in ASYNCS)) throw this.#error('no record type')
    this.#at++
    const name = this.#name()
    if (name === '') throw this.#error('no record class')
    const results = this.#resultsUntil('')
    if (sign === '^') return { type: 'result', token, resultClass: name, results }
    return {
      type: ASYNCS[sign as keyof typeof ASYNCS],
      token,
      asyncClass: name,
      results,
    } satisfies AsyncRecord
  }

  #isPrompt(): boolean {
    const text = '(gdb)'
    const length = this.#bytes.length
    if (length !== text.length && !(length === text.length + 1 && this.#bytes[text.length] === 0x20))
      return false
    for (let i = 0; i < text.length; i++) if (this.#bytes[i] !== text.charCodeAt(i)) return false
    return true
  }

  #token(): number | null {
    let token: number | null = null
    while (this.#peek() >= '0' && this.#peek() <= '9') {
      token = (token ?? 0) * 10 + Number(this.#take())
      if (token > Number.MAX_SAFE_INTEGER) throw this.#error('token too large')
    }
    return token
  }

  /** `,result` until the line's end. Also the names-less results that gdb writes for breakpoints: `,{…}`. */
  #resultsUntil(close: '' | '}' | ']', depth = 0): MiResult[] {
    const results: MiResult[] = []
    if (close !== '' && this.#skip(close)) return results
    for (let first = true; ; first = false) {
      if (close === '' && this.#at === this.#bytes.length) return results
      if (!(first && close !== '')) {
        if (close !== '' && this.#skip(close)) return results
        if (!this.#skip(',')) throw this.#error(`expected , ${close}`)
      }
      results.push(this.#result(depth))
    }
  }

  #result(depth: number): MiResult {
    const next = this.#peek()
    if (next === '"' || next === '{' || next === '[') return { name: null, value: this.#value(depth) }
    const name = this.#name()
    if (name === '') throw this.#error('expected a name or a value')
    if (!this.#skip('=')) throw this.#error('expected =')
    return { name, value: this.#value(depth) }
  }

  #value(depth: number): MiValue {
    if (depth > MAX_DEPTH) throw this.#error('nested too deeply')
    const next = this.#peek()
    if (next === '"') return decodeText(this.#cString())
    if (next === '{') {
      this.#at++
      return { kind: 'tuple', results: this.#resultsUntil('}', depth + 1) }
    }
    if (next === '[') {
      this.#at++
      return { kind: 'list', results: this.#resultsUntil(']', depth + 1) }
    }
    throw this.#error('expected a value')
  }

  #name(): string {
    const start = this.#at
    while (isNameByte(this.#bytes[this.#at])) this.#at++
    return String.fromCharCode(...this.#bytes.subarray(start, Math.min(this.#at, start + 256)))
  }

  #cString(): Uint8Array {
    if (!this.#skip('"')) throw this.#error('expected "')
    const bytes = this.#bytes
    const into = new Uint8Array(bytes.length - this.#at)
    let length = 0
    for (;;) {
      const byte = bytes[this.#at]
      if (byte === undefined) throw this.#error('string without end')
      if (byte === 0x22) break
      this.#at++
      into[length++] = byte === 0x5c ? this.#escape() : byte
    }
    this.#at++
    return into.subarray(0, length)
  }

  #escape(): number {
    const next = this.#peek()
    if (next >= '0' && next <= '7') {
      let value = 0
      for (let digits = 0; digits < 3 && this.#peek() >= '0' && this.#peek() <= '7'; digits++) {
        value = value * 8 + Number(this.#take())
      }
      if (value > 255) throw this.#error('octal escape over 255')
      return value
    }
    const plain = ESCAPES[next]
    if (plain === undefined) throw this.#error('unknown escape')
    this.#at++
    return plain
  }

  /** The next byte as a character; '' at the end. */
  #peek(): string {
    const byte = this.#bytes[this.#at]
    return byte === undefined ? '' : String.fromCharCode(byte)
  }

  #take(): string {
    const next = this.#peek()
    this.#at++
    return next
  }

  #skip(character: string): boolean {
    if (this.#peek() !== character) return false
    this.#at++
    return true
  }

  #end(): void {
    if (this.#at !== this.#bytes.length) throw this.#error('more after the record')
  }

  #error(what: string): MiSyntaxError {
    return new MiSyntaxError(what, this.#at)
  }
}

/** Letters, digits, `-`, `_`, `.`, `:`: gdb writes `BreakpointTable`, `OSDataTable`, `thread-id`, `col0`. */
function isNameByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x3a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f
  )
}
