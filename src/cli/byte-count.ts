// Sizes on the command line: 4096, 1K, 60M, 1.5GiB.
import { UsageError } from './exit.js'

const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** Bytes of `text` (IEC units); throws UsageError naming the option. */
export function byteCount(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i.exec(text)
  const bytes = match ? Number(match[1]) * FACTORS[match[2]!.toLowerCase()]! : Number.NaN
  if (Number.isSafeInteger(Math.round(bytes))) return Math.round(bytes)
  throw new UsageError(`${option} takes a size, not ${JSON.stringify(text)}`, 'e.g. 4096, 64K, 1.5M')
}

/** A whole number of `text`; throws UsageError naming the option. */
export function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new UsageError(`${option} takes a whole number, not ${JSON.stringify(text)}`, 'see --help')
}
