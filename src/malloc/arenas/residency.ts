// How much of an arena is in RAM, by what holds it, and what malloc_trim(0) would give back of it.
import { type Address, address, offset } from '../../memory/address.js'
import type { PagesOf, PageTally } from '../chunks/page-tally.js'
import type { ArenaResidency } from '../heap-model.js'
import { NONCONTIGUOUS } from './arena-header.js'
import type { CachedSum } from './cached-sums.js'
import type { MeasuredArena } from './measure-arena.js'

/** What a target knows of its pages, and how its malloc trims. */
export interface TrimContext {
  readonly pagesOf: PagesOf
  readonly pageBytes: number
  readonly wordBytes: 8 | 4
  /** mp_.thp_pagesize: top shrinks by multiples of it; 0: of pages. */
  readonly hugePageBytes: number
  /** Whether the mapping at an address is mlock'ed: madvise is refused there. */
  readonly isLocked: (at: Address) => boolean
  /** Whether the program break is at `end`. */
  readonly isBreak: (end: Address, isContiguous: boolean) => boolean
}

export interface MeasuredResidency {
  readonly resident: ArenaResidency
  readonly trimReturnsBytes: number
}

/** Null where not every chunk was seen, or not all tcaches, or residency of a part is unknown. */
export function residencyOf(
  context: TrimContext,
  measured: MeasuredArena,
  cached: CachedSum | null,
): MeasuredResidency | null {
  const { walked, fast, heaps, header } = measured
  const pages = walked?.tally.pages
  if (!walked || !pages?.known || !cached || !fast || fast.damage || !header) return null
  let usedArea = 0
  let reservedBytes = 0
  for (const heap of heaps) {
    const end = offset(heap.address, heap.sizeBytes)
    const reservedEnd = offset(heap.address, heap.reservedBytes)
    const used = residentIn(context.pagesOf, heap.address, end)
    const reserved = residentIn(context.pagesOf, end, reservedEnd)
    if (used === null || reserved === null) return null
    usedArea += used
    reservedBytes += reserved
  }
  const { tally } = walked
  const fastbinBytes = fast.bytes - pages.fastAbsent
  const tcacheBytes = cached.bytes - cached.absentBytes
  const liveBytes = tally.usedBytes - pages.usedAbsent - fastbinBytes - tcacheBytes
  const binnedBytes = tally.freeBytes - pages.freeAbsent
  const topBytes = tally.topBytes - pages.topAbsent
  const resident: ArenaResidency = {
    liveBytes,
    tcacheBytes,
    fastbinBytes,
    trimmableBytes: pages.trimmable,
    pinnedBytes: binnedBytes - pages.trimmable,
    topBytes,
    overheadBytes: usedArea - liveBytes - fastbinBytes - tcacheBytes - binnedBytes - topBytes,
    reservedBytes,
  }
  // Chunks that changed between two readings of a live target: no sum of parts can be told.
  if (Object.values(resident).some((bytes) => bytes < 0)) return null
  const locked = heaps.some((heap) => context.isLocked(heap.address))
  const inside = locked ? 0 : pages.joinedTrimmable
  return { resident, trimReturnsBytes: inside + (measured.isMain ? fromTop(context, measured, pages) : 0) }
}

// systrim in malloc/malloc.c: whole pages off the end of main_arena's top, MINSIZE and a byte stay.
function fromTop(context: TrimContext, { header, topBytes }: MeasuredArena, pages: PageTally): number {
  if (!header || !topBytes || pages.topStart < 0) return 0
  const end = offset(header.top, topBytes)
  if (!context.isBreak(end, (header.flags & NONCONTIGUOUS) === 0)) return 0
  const unit = context.hugePageBytes || context.pageBytes
  const area = Number(end) - pages.topStart - 4 * context.wordBytes - 1
  const extra = Math.floor(area / unit) * unit
  return extra <= 0 ? 0 : (residentIn(context.pagesOf, offset(end, -extra), end) ?? 0)
}

function residentIn(pagesOf: PagesOf, start: Address, end: Address): number | null {
  if (end <= start) return 0
  const pages = pagesOf(address(start), end)
  return pages ? pages.bytesIn(Number(start), Number(end)) : null
}
