// Arena heaps by the shape of the address space, for a maps file without the memory behind it.
import { address } from '../memory/address.js'
import { type Region, sizeOf } from '../memory/region.js'
import type { Claim } from './claims.js'
import { categoryOfName, isAnonymous, isForbidden } from './mapped-path.js'

/** HEAP_MAX_SIZE of glibc's malloc/arena.c on 64-bit and 32-bit machines. */
const HEAP_MAX_64 = 64n * 2n ** 20n
const HEAP_MAX_32 = 2n ** 20n
/** Go's runtime reserves heap of the same size and alignment here (runtime/malloc.go, arenaBaseOffset hints 0x00c0<<32). */
const GO_HEAP_START = 0xc0_0000_0000n
const GO_HEAP_END = 0xc1_0000_0000n

/**
 * A guess, by shape alone, of what glibc's arenas hold: readable and writable anonymous memory from a multiple of
 * HEAP_MAX_SIZE (64 MiB; 1 MiB when all addresses are 32-bit) up to a mapping without permissions that fills the heap up.
 * Heaps that are committed to their end have no such rest; they are believed only where a heap with a rest exists too.
 * Other allocators with equal alignment look the same, and heaps of another size (hugetlb tunables) are not found.
 * Pass the result as `claims` to `categorize` only when malloc's own structures cannot be read.
 */
export function guessArenaClaims(regions: readonly Region[]): Claim[] {
  const heapMax = regions.every(({ end }) => end <= 2n ** 32n) ? HEAP_MAX_32 : HEAP_MAX_64
  const claims: Claim[] = []
  const full: Claim[] = []
  regions.forEach((region, i) => {
    if (!isCandidate(region)) return
    const base = heapMax * (region.end / heapMax)
    const next = regions[i + 1]
    if (base === region.end) {
      if (region.start % heapMax === 0n) full.push(committed(region.start, region.end))
    } else if (base >= region.start && next && isRest(next, region.end, base + heapMax)) {
      claims.push(committed(region.start % heapMax === 0n ? region.start : base, region.end))
      claims.push({ start: region.end, end: address(base + heapMax), category: 'arena heaps, reserved' })
    }
  })
  return claims.length === 0 ? [] : [...claims, ...full]
}

function isCandidate(region: Region): boolean {
  const { permissions, start } = region
  if (!isAnonymous(region) || !permissions.read || !permissions.write || sizeOf(region) === 0) return false
  if (start >= GO_HEAP_START && start < GO_HEAP_END) return false
  const named = categoryOfName(region)
  return named === null || named === 'arena heaps, committed'
}

/** The rest may go on past the heap: a thread stack's guard directly above merges with it. */
function isRest(region: Region, start: bigint, end: bigint): boolean {
  return region.start === start && region.end >= end && isAnonymous(region) && isForbidden(region)
}

function committed(start: bigint, end: bigint): Claim {
  return { start: address(start), end: address(end), category: 'arena heaps, committed' }
}
