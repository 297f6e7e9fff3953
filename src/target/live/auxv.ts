// The auxiliary vector that the kernel gave the program at its start.
import { readFileSync } from 'node:fs'
import { errnoOf } from './proc-file.js'

const AT_PHDR = 3n
const AT_PAGESZ = 6n

/** What we use of /proc/PID/auxv; null for what it does not hold. */
export interface Auxv {
  /** Address of the program headers of the program (of the loader, when it was started as a command). */
  readonly programHeaders: bigint | null
  readonly pageBytes: number | null
}

/** Reads /proc/PID/auxv, whose words are as wide as the program's; all null where it cannot be read. */
export function readAuxv(pid: number, wordBytes: 8 | 4): Auxv {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(`/proc/${pid}/auxv`)
  } catch (error) {
    errnoOf(error)
    bytes = new Uint8Array(0)
  }
  return parseAuxv(bytes, wordBytes)
}

/** The entries of a little-endian auxiliary vector. */
export function parseAuxv(bytes: Uint8Array, wordBytes: 8 | 4): Auxv {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = (at: number) =>
    wordBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
  const entries = new Map<bigint, bigint>()
  for (let at = 0; at + 2 * wordBytes <= bytes.length; at += 2 * wordBytes)
    entries.set(word(at), word(at + wordBytes))
  const pageBytes = entries.get(AT_PAGESZ)
  return {
    programHeaders: entries.get(AT_PHDR) ?? null,
    pageBytes: pageBytes === undefined ? null : Number(pageBytes),
  }
}
