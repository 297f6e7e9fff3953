// One mapping of the target's address space.
import type { Address } from './address.js'

/** The permission bits of a mapping, as in the second column of /proc/PID/maps. */
export interface Permissions {
  readonly read: boolean
  readonly write: boolean
  readonly execute: boolean
  readonly shared: boolean
}

/** A mapping [start, end). Regions of a target are sorted by start and never overlap. */
export interface Region {
  readonly start: Address
  readonly end: Address
  readonly permissions: Permissions
  /** Offset into `path`, 0 for anonymous memory. */
  readonly fileOffset: bigint
  /** A file's path as the target saw it, the kernel's name such as `[heap]`, or null for anonymous memory. */
  readonly path: string | null
}

/** Size of a region in bytes; every user address space fits 2^53. */
export function sizeOf(region: { readonly start: Address; readonly end: Address }): number {
  return Number(region.end - region.start)
}

/** The region that holds `address`, or null; `regions` sorted by start. */
export function regionAt<R extends { readonly start: Address; readonly end: Address }>(
  regions: readonly R[],
  address: bigint,
): R | null {
  let low = 0
  let high = regions.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const region = regions[middle]!
    if (address < region.start) high = middle - 1
    else if (address >= region.end) low = middle + 1
    else return region
  }
  return null
}

/** `rw-p` and the like, as /proc/PID/maps prints it. */
export function permissionText(p: Permissions): string {
  return `${p.read ? 'r' : '-'}${p.write ? 'w' : '-'}${p.execute ? 'x' : '-'}${p.shared ? 's' : 'p'}`
}
