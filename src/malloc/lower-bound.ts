// Binary search in a sorted column of addresses.

/** Index of the first address that is not below `wanted`; the length when all are. */
export function lowerBound(addresses: BigUint64Array, wanted: bigint): number {
  let low = 0
  let high = addresses.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (addresses[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
