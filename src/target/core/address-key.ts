// Addresses as numbers, for tables that are searched in inner loops.
import type { Address } from '../../memory/address.js'

const EXACT = 2 ** 53

/**
 * The exact number for an address: itself below 2^53, address − 2^64 in the uppermost 2^53 bytes (where
 * `[vsyscall]` lies), NaN between the two, where no process has memory.
 */
export function keyOf(address: bigint): number {
  const plain = Number(address)
  if (plain < EXACT) return plain
  const signed = Number(BigInt.asIntN(64, address))
  return Number.isSafeInteger(signed) ? signed : Number.NaN
}

/** The address of a key. */
export function addressOf(key: number): Address {
  return BigInt.asUintN(64, BigInt(key)) as Address
}
