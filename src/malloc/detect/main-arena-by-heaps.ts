// main_arena where libc's data is not at hand: the one member of the ring that lies in no heap.
import { type Address, address, offset } from '../../memory/address.js'
import { PageCache } from '../../memory/page-cache.js'
import { regionAt, sizeOf } from '../../memory/region.js'
import type { Target } from '../../target/target.js'
import { findFirstHeaps } from '../arenas/find-arenas.js'
import { type GlibcLayout, layoutOfVersion } from '../layout.js'
import type { Stretch } from './libc.js'
import { badBins, hasBins } from './probe-main-arena.js'

export interface ArenaByHeaps {
  /** main_arena; its memory may be unreadable. */
  readonly address: Address
  readonly layout: GlibcLayout
  /** The mapping that holds it, null when none does. */
  readonly around: Stretch | null
}

// One version for each shape of malloc_state (see layout.ts), newest first.
const SHAPES = [44, 36, 31, 26, 25, 22]
const MOST_ARENAS = 65_536
const MOST_JUDGED = 64
const MOST_AROUND = 64 << 20

/**
 * Looks for arenas by their heaps and follows their ring to a member outside of all heaps. `minor`: of glibc 2.x, if
 * known; without it the shape of malloc_state in which most bins are proper is taken. Null when no arena was found,
 * or its ring leads to no other place.
 */
export function mainArenaByHeaps(target: Target, minor: number | null): ArenaByHeaps | null {
  const cache = new PageCache(target.memory, 1024)
  const heaps = findFirstHeaps(target, cache)
  const arenas = new Set<bigint>(heaps.map(({ arena }) => arena))
  for (const { heap, arena } of heaps.slice(0, MOST_JUDGED)) {
    const layout = layoutAt(cache, arena, target.wordBytes, minor)
    if (!layout) continue
    const main = leaveHeaps(cache, arena, arenas, layout)
    if (main === null) continue
    const region = regionAt(target.regions(), main)
    const readable = cache.word(main, layout.wordBytes) !== null
    if (readable ? !hasBins(cache, main, layout) : !region) continue
    const around =
      readable && region && sizeOf(region) <= MOST_AROUND
        ? { start: region.start, sizeBytes: sizeOf(region) }
        : null
    const heapInfo = { ...layout.heapInfo, sizeBytes: Number(arena - heap) }
    return { address: address(main), layout: { ...layout, heapInfo }, around }
  }
  return null
}

// The first member of the ring, from `arena` on, that no found heap holds.
function leaveHeaps(
  cache: PageCache,
  arena: Address,
  arenas: ReadonlySet<bigint>,
  layout: GlibcLayout,
): bigint | null {
  let at: bigint = arena
  for (let count = 0; count < Math.min(arenas.size, MOST_ARENAS); count++) {
    const next = cache.word(at + BigInt(layout.arena.next), layout.wordBytes)
    if (next === null || next === 0n || next === arena) return null
    if (!arenas.has(next)) return next % BigInt(layout.wordBytes) === 0n ? next : null
    at = next
  }
  return null
}

// By the version, or the shape in which the fewest bins are bad: neighbouring ones fit all bins but a few.
function layoutAt(cache: PageCache, arena: Address, word: 8 | 4, minor: number | null): GlibcLayout | null {
  const shapes = (minor === null ? SHAPES : [minor]).map((one) => layoutOfVersion(one, word))
  let best: GlibcLayout | null = null
  let least = Number.POSITIVE_INFINITY
  for (const layout of shapes) {
    const bad = badBins(cache, arena, layout)
    const next = cache.word(offset(arena, layout.arena.next), word)
    if (bad >= least || next === null || next === 0n) continue
    best = layout
    least = bad
  }
  if (!best || !hasBins(cache, arena, best)) return null
  return minor === null ? { ...best, safeLinking: null } : best
}
