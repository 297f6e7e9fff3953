// An address in the target, branded so that a file offset or a size cannot pass for one.

/** A virtual address of the target, 0 ≤ address < 2^64. */
export type Address = bigint & { readonly __brand: 'Address' }

/** The address `value`; throws RangeError outside 0 … 2^64−1. */
export function address(value: bigint | number): Address {
  const wide = BigInt(value)
  if (wide < 0n || wide >> 64n !== 0n) throw new RangeError(`not an address: ${value}`)
  return wide as Address
}

/** `base + bytes`, wrapping at 2^64 as the machine does. */
export function offset(base: Address, bytes: bigint | number): Address {
  return BigInt.asUintN(64, base + BigInt(bytes)) as Address
}

/** `0x…` in lower case without leading zeros, as gdb prints addresses. */
export function hex(value: bigint): string {
  return `0x${value.toString(16)}`
}
