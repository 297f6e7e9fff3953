// Bytes by address: what a core, a live process and a test's fake have in common.
import { type Address, offset } from './address.js'
import type { MemoryFault } from './memory-fault.js'

/** Read-only memory of a target. Synchronous: callers that must stay responsive read in blocks and yield. */
export interface MemorySource {
  /**
   * Fills `into` from `address` on and returns how many bytes are valid. Fewer than `into.length` only where the
   * next byte cannot be read (0 when the first cannot); bytes past the count are unspecified, never to be used.
   */
  read(address: Address, into: Uint8Array): number
  /** Why the byte at `address`, at which a read fell short, cannot be read. */
  fault(address: Address): MemoryFault
}

/** All of `length` bytes from `address`; throws the MemoryFault of the first byte that is missing. */
export function readExactly(memory: MemorySource, address: Address, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const got = memory.read(address, bytes)
  if (got < length) throw memory.fault(offset(address, got))
  return bytes
}

/** The little-endian word of `wordBytes` (8 or 4) at `address`; throws MemoryFault. */
export function readWord(memory: MemorySource, address: Address, wordBytes: 8 | 4): bigint {
  const view = new DataView(readExactly(memory, address, wordBytes).buffer)
  return wordBytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true))
}
