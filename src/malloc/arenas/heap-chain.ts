// The heap_info segments of a non-main arena, from the newest (the one that holds top) back to the first.
import { type Address, address, hex } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Anomaly, Heap } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'

export interface HeapChain {
  /** Oldest first. */
  readonly heaps: readonly Heap[]
  /** Null when the chain reached the arena's first heap. */
  readonly damage: Anomaly | null
}

const MIB = 1n << 20n
// Of all machines that glibc runs on.
const LEAST_HUGE_PAGE = 64n << 10n
const MOST_HUGE_PAGE = 16n << 30n

/**
 * HEAP_MAX_SIZE candidates, the likeliest first: 4 × `hugePageBytes` (`hugePageOfHeaps`) unless that is 0, the
 * constant (64 MiB; 1 MiB on 32 bit), then what it is with other huge pages (2 MiB, 32 MiB, 512 MiB and 1 GiB).
 */
export function heapMaxCandidates(wordBytes: 8 | 4, hugePageBytes = 0n): readonly bigint[] {
  const known = hugePageBytes === 0n ? [] : [4n * hugePageBytes]
  const usual = wordBytes === 8 ? 64n * MIB : MIB
  return [...new Set([...known, usual, 8n * MIB, 128n * MIB, 2048n * MIB, 4096n * MIB])]
}

/**
 * The page size that HEAP_MAX_SIZE is 4 of: mp_.hp_pagesize of glibc 2.35 to 2.41 (glibc.malloc.hugetlb ≥ 2); 0 where
 * it is not set, not known, or no page size, and in other versions. `minor`: of glibc 2.x, if known.
 */
export function hugePageOfHeaps(
  memory: PageCache,
  mallocPar: Address | null,
  { par, arena, wordBytes }: GlibcLayout,
  minor: number | null,
): bigint {
  const follows = minor === null ? arena.fastbins !== null : minor >= 35 && minor < 42
  if (!follows || mallocPar === null || par.hugePageBytes === null) return 0n
  const bytes = memory.word(mallocPar + BigInt(par.hugePageBytes), wordBytes) ?? 0n
  const isPageSize = bytes >= LEAST_HUGE_PAGE && bytes <= MOST_HUGE_PAGE && (bytes & (bytes - 1n)) === 0n
  return isPageSize ? bytes : 0n
}

/**
 * Follows heap_info.prev from the heap of `top`, under the first HEAP_MAX_SIZE that makes sense of the whole chain:
 * a small heap that lies at a multiple of several candidates does not tell them apart, its size and the others do.
 */
export function readHeapChain(
  memory: PageCache,
  arena: Address,
  top: Address,
  layout: GlibcLayout,
  hugePageBytes: bigint,
): HeapChain {
  let longest: HeapChain | null = null
  for (const reserved of heapMaxCandidates(layout.wordBytes, hugePageBytes)) {
    const newest = top & ~(reserved - 1n)
    if (newest === 0n) continue
    if (memory.word(newest + BigInt(layout.heapInfo.arena), layout.wordBytes) !== arena) continue
    const chain = endingWith(top, chainFrom(memory, arena, newest, layout, reserved))
    if (!chain.damage) return chain
    if (longest === null || chain.heaps.length > longest.heaps.length) longest = chain
  }
  return longest ?? damaged([], top, `no heap_info of arena ${hex(arena)} lies below its top ${hex(top)}`)
}

// Of an address far off, the largest sizes lead to heaps that have nothing to do with it.
function endingWith(top: Address, chain: HeapChain): HeapChain {
  const newest = chain.heaps.at(-1)
  if (chain.damage || !newest || top < newest.address + BigInt(newest.sizeBytes)) return chain
  return damaged([], top, `top ${hex(top)} lies behind the newest heap ${hex(newest.address)}`)
}

function chainFrom(
  memory: PageCache,
  arena: Address,
  newest: bigint,
  layout: GlibcLayout,
  reserved: bigint,
): HeapChain {
  const heaps: Heap[] = []
  const seen = new Set<bigint>()
  let at = newest
  while (at !== 0n) {
    const heap = readHeap(memory, address(at), arena, layout, reserved)
    if (typeof heap === 'string') return damaged(heaps, at, heap)
    if (seen.has(at))
      return damaged(heaps, at, `heap chain of arena ${hex(arena)} runs in a circle at ${hex(at)}`)
    seen.add(at)
    heaps.unshift(heap)
    at = memory.word(at + BigInt(layout.heapInfo.prev), layout.wordBytes) ?? -1n
    if (at === -1n) return damaged(heaps, heap.address, `heap_info ${hex(heap.address)} cannot be read whole`)
  }
  const first = heaps[0]!
  if (first.address + BigInt(layout.heapInfo.sizeBytes) !== arena) {
    return damaged(
      heaps,
      first.address,
      `the first heap of arena ${hex(arena)} does not hold the arena itself`,
    )
  }
  return { heaps, damage: null }
}

function damaged(heaps: readonly Heap[], at: bigint, what: string): HeapChain {
  return { heaps, damage: { at: address(BigInt.asUintN(64, at)), code: 'heap-chain-broken', what } }
}

// The heap_info at `at`, or a sentence that says what is wrong with it.
function readHeap(
  memory: PageCache,
  at: Address,
  arena: Address,
  layout: GlibcLayout,
  reserved: bigint,
): Heap | string {
  const { heapInfo, wordBytes } = layout
  if ((at & (reserved - 1n)) !== 0n) return `heap_info ${hex(at)} is not at a multiple of ${hex(reserved)}`
  const owner = memory.word(at + BigInt(heapInfo.arena), wordBytes)
  const size = memory.word(at + BigInt(heapInfo.size), wordBytes)
  const committed = memory.word(at + BigInt(heapInfo.mprotectSize), wordBytes)
  if (owner === null || size === null || committed === null) return `heap_info ${hex(at)} cannot be read`
  if (owner !== arena) return `heap_info ${hex(at)} belongs to ${hex(owner)}, expected arena ${hex(arena)}`
  if (size > committed || committed > reserved) {
    return `heap_info ${hex(at)}: size ${hex(size)}, mprotect_size ${hex(committed)}, more than ${hex(reserved)}`
  }
  return {
    address: at,
    sizeBytes: Number(size),
    committedBytes: Number(committed),
    reservedBytes: Number(reserved),
  }
}
