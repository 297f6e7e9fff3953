// The 32-bit halves of a column of 64-bit words, on machines of either byte order: no BigInt in hot loops.

const LITTLE = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Which of a word's two halves in a Uint32Array is the low one, and which the high one. */
export const LOW_HALF = LITTLE ? 0 : 1
export const HIGH_HALF = LITTLE ? 1 : 0

/** `column` as twice as many 32-bit words. */
export function halvesOf(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2)
}
