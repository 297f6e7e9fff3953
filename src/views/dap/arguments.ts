// Arguments of requests, checked: a client can send anything.
import { type Address, address } from '../../memory/address.js'
import { DapError } from './errors.js'

const TOP = 1n << 64n

/** The arguments of one request; its methods throw DapError `badArguments`. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>

  constructor(
    readonly command: string,
    values: unknown,
  ) {
    this.#values =
      typeof values === 'object' && values !== null ? (values as Readonly<Record<string, unknown>>) : {}
  }

  isText(name: string): boolean {
    return typeof this.#values[name] === 'string'
  }

  text(name: string): string | null {
    const value = this.#values[name]
    if (value === undefined || value === null) return null
    if (typeof value === 'string' && !value.includes('\0')) return value
    throw this.bad(`"${name}" takes a text`)
  }

  wantedText(name: string): string {
    const value = this.text(name)
    if (value === null) throw this.bad(`"${name}" is missing`)
    return value
  }

  flag(name: string): boolean | null {
    const value = this.#values[name]
    if (value === undefined || value === null) return null
    if (typeof value === 'boolean') return value
    throw this.bad(`"${name}" takes true or false`)
  }

  whole(name: string, least = 0): number | null {
    const value = this.#values[name]
    if (value === undefined || value === null) return null
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
    throw this.bad(`"${name}" takes a whole number from ${least} on`)
  }

  wantedWhole(name: string, least = 0): number {
    const value = this.whole(name, least)
    if (value === null) throw this.bad(`"${name}" is missing`)
    return value
  }

  inside(name: string): Arguments {
    return new Arguments(this.command, this.#values[name])
  }

  list(name: string): readonly unknown[] {
    const value = this.#values[name]
    return Array.isArray(value) ? value : []
  }

  bad(what: string): DapError {
    return new DapError('badArguments', { command: this.command, what })
  }
}

/** `0x…` or decimal, as a memory reference. Throws DapError `badAddress`. */
export function addressOf(text: string): Address {
  if (/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text.trim())) {
    const value = BigInt(text.trim())
    if (value < TOP) return address(value)
  }
  throw new DapError('badAddress', { text: JSON.stringify(text.slice(0, 100)) })
}
