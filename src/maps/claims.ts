// Ranges that malloc is known to hold, made disjoint and cut at the borders of mappings.
import type { Address } from '../memory/address.js'
import type { Region } from '../memory/region.js'
import type { Category } from './categories.js'

/** [start, end) belongs to `category`, by better knowledge than names and permissions. */
export interface Claim {
  readonly start: Address
  readonly end: Address
  readonly category: Category
}

/** A stretch of one mapping that is claimed as a whole or not at all. */
export interface Stretch {
  readonly start: Address
  readonly end: Address
  readonly region: Region
  readonly claimed: Category | null
}

/** The same claims by address without overlaps; where claims overlap, the one that comes first in the list wins. */
export function disjoint(claims: readonly Claim[]): Claim[] {
  const used = claims.filter((claim) => claim.start < claim.end)
  const starts = used.map((_, i) => i).sort((a, b) => order(used[a]!.start, used[b]!.start))
  const borders = [...new Set(used.flatMap((claim) => [claim.start, claim.end]))].sort(order)
  const out: { start: Address; end: Address; category: Category }[] = []
  let active: number[] = []
  let next = 0
  for (let i = 0; i + 1 < borders.length; i++) {
    const [start, end] = [borders[i]!, borders[i + 1]!]
    active = active.filter((index) => used[index]!.end > start)
    while (next < starts.length && used[starts[next]!]!.start <= start) active.push(starts[next++]!)
    if (active.length === 0) continue
    const { category } = used[Math.min(...active)]!
    const before = out.at(-1)
    if (before && before.end === start && before.category === category) before.end = end
    else out.push({ start, end, category })
  }
  return out
}

/** Tiles the regions (sorted by address) exactly: each is cut where a claim begins or ends inside of it. */
export function cut(regions: readonly Region[], claims: readonly Claim[]): Stretch[] {
  const sorted = disjoint(claims)
  const out: Stretch[] = []
  let first = 0
  for (const region of regions) {
    while (first < sorted.length && sorted[first]!.end <= region.start) first++
    let at = region.start
    for (let i = first; i < sorted.length && sorted[i]!.start < region.end; i++) {
      const claim = sorted[i]!
      const start = latest(claim.start, at)
      const end = earliest(claim.end, region.end)
      if (start > at) out.push({ start: at, end: start, region, claimed: null })
      out.push({ start, end, region, claimed: claim.category })
      at = end
    }
    if (at < region.end) out.push({ start: at, end: region.end, region, claimed: null })
  }
  return out
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function earliest(a: Address, b: Address): Address {
  return order(a, b) < 0 ? a : b
}

function latest(a: Address, b: Address): Address {
  return order(a, b) < 0 ? b : a
}
