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

/**
 * HEAP_MAX_SIZE candidates: the constant (64 MiB; 1 MiB on 32 bit), then 4 × huge page for glibc 2.35–2.41 with
 * glibc.malloc.hugetlb ≥ 2 (2 MiB, 32 MiB, 512 MiB and 1 GiB pages).
 */
export function heapMaxCandidates(wordBytes: 8 | 4): readonly bigint[] {
  const usual = wordBytes === 8 ? 64n * MIB : MIB
  return [usual, 8n * MIB, 128n * MIB, 2048n * MIB, 4096n * MIB].filter(
    (size, index) => index === 0 || size !== usual,
  )
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
): HeapChain {
  let longest: HeapChain | null = null
  for (const reserved of heapMaxCandidates(layout.wordBytes)) {
    const newest = top & ~(reserved - 1n)
    if (newest === 0n) continue
    if (memory.word(newest + BigInt(layout.heapInfo.arena), layout.wordBytes) !== arena) continue
    const chain = chainFrom(memory, arena, newest, layout, reserved)
    if (!chain.damage) return chain
    if (longest === null || chain.heaps.length > longest.heaps.length) longest = chain
  }
  return longest ?? damaged([], top, `no heap_info of arena ${hex(arena)} lies below its top ${hex(top)}`)
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
