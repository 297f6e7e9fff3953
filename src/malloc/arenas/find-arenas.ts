// Arenas found by their heaps: every heap_info lies at a multiple of HEAP_MAX_SIZE and names its arena.
import { type Address, address } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Target } from '../../target/target.js'
import { anonymousMemory, isAnonymous } from './anonymous-memory.js'
import { heapMaxCandidates } from './heap-chain.js'

/** A heap_info whose arena lies in it: the first heap of that arena. */
export interface FoundHeap {
  readonly heap: Address
  readonly arena: Address
}

// heap_info is 0x20 or 0x30 bytes long (0x10 or 0x18 of 32 bits), aligned to two words at most.
const MOST_HEAP_INFO = 0x40n
// A process has no more arenas; memory that looks like more of them is no malloc's.
const MOST_FOUND = 65_536
// Aligned addresses looked at: 1 TiB in steps of 8 MiB.
const MOST_LOOKS = 1 << 17

/**
 * First heaps of arenas in anonymous writable memory, by address: at each multiple of HEAP_MAX_SIZE (the usual one,
 * which divides the others of 64 bits but 8 MiB) one small read. A heap whose arena lies elsewhere, as later heaps',
 * is not told. They need not be sound beyond that: whoever uses one looks at its arena.
 */
export function findFirstHeaps(target: Target, memory: PageCache): readonly FoundHeap[] {
  const word = target.wordBytes
  const [usual, ...others] = heapMaxCandidates(word)
  const step = others.reduce((least, size) => (size < least ? size : least), usual!)
  const found: FoundHeap[] = []
  let looks = 0
  for (const { start, sizeBytes } of anonymousMemory(target, [], false)) {
    const end = start + BigInt(sizeBytes)
    for (let at = (start + step - 1n) & ~(step - 1n); at < end && looks < MOST_LOOKS; at += step) {
      looks++
      const arena = firstArenaAt(memory, at, word)
      if (arena !== null) found.push({ heap: address(at), arena })
      if (found.length >= MOST_FOUND) return found
    }
  }
  return found
}

/**
 * As findFirstHeaps, at multiples of `heapMaxBytes` only, without `known` heaps, and with what stands beside threads'
 * stacks. Of a live target only pages in RAM are looked at.
 */
export function otherFirstHeaps(
  target: Target,
  memory: PageCache,
  known: ReadonlySet<bigint>,
  heapMaxBytes: bigint,
): readonly FoundHeap[] {
  const found: FoundHeap[] = []
  let looks = 0
  for (const region of target.regions()) {
    if (!isAnonymous(region, false)) continue
    const first = (region.start + heapMaxBytes - 1n) & ~(heapMaxBytes - 1n)
    for (let at = first; at < region.end && looks < MOST_LOOKS; at += heapMaxBytes) {
      if (known.has(at)) continue
      looks++
      const heap = address(at)
      if (target.kind !== 'core' && target.residentBytes(heap, address(at + BigInt(target.pageBytes))) === 0)
        continue
      const arena = firstArenaAt(memory, at, target.wordBytes)
      if (arena !== null) found.push({ heap, arena })
      if (found.length >= MOST_FOUND) return found
    }
  }
  return found
}

// heap_info: ar_ptr, prev, size, mprotect_size, each a word (glibc malloc/arena.c).
function firstArenaAt(memory: PageCache, at: bigint, word: 8 | 4): Address | null {
  const field = (index: number) => memory.word(at + BigInt(index * word), word)
  const arena = field(0)
  if (arena === null || arena <= at || arena > at + MOST_HEAP_INFO || field(1) !== 0n) return null
  const [size, committed] = [field(2), field(3)]
  if (size === null || committed === null || size > committed || size === 0n) return null
  return (size & 0xfffn) === 0n && (committed & 0xfffn) === 0n ? address(arena) : null
}
