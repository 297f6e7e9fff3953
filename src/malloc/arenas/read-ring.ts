// All arenas of a process: the ring from main_arena back to it, and where that is broken, those that their heaps tell.
import { type Address, address, hex } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Target } from '../../target/target.js'
import { hasBins } from '../detect/probe-main-arena.js'
import type { Anomaly } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { findFirstHeaps } from './find-arenas.js'
import { skippedArenas } from './skipped-arenas.js'

/** The arenas that were found. */
export interface Ring {
  /** main_arena first; ring order as far as it is known. */
  readonly arenas: readonly Address[]
  /** False when `next` did not lead from arena to arena back to main_arena. */
  readonly closed: boolean
  /**
   * True when no arena is missing: the ring is closed, or it is broken at one place of a target that is otherwise
   * whole, by a word that is no arena's address, and the arenas found by their heaps lead, all of them, in one row to
   * main_arena.
   */
  readonly allFound: boolean
  readonly anomalies: readonly Anomaly[]
}

/** glibc's limit follows the number of CPUs; a ring longer than this is damage. */
const MOST_ARENAS = 65_536
const LIVE_LOOKS = 3

/**
 * Follows malloc_state.next from `main`; behind a break, and where a closed ring leaves some out, arenas are looked for
 * by their heaps. `hugePageBytes`: as `hugePageOfHeaps` tells. `earlier`: of a look just before, which missed none.
 */
export function readRing(
  target: Target,
  memory: PageCache,
  main: Address,
  layout: GlibcLayout,
  hugePageBytes: bigint,
  earlier: readonly Address[] = [],
): Ring {
  for (let looks = 1; ; looks++) {
    const { arenas, broken } = followRing(memory, main, layout)
    const isKnown = arenas.length === earlier.length && arenas.every((at, index) => at === earlier[index])
    if (!broken && isKnown) return { arenas, closed: true, allFound: true, anomalies: [] }
    if (broken) return behindBreak(target, memory, main, layout, { arenas, broken })
    const skipped = skippedArenas(target, memory, arenas, layout, hugePageBytes)
    if (!skipped) return { arenas, closed: true, allFound: true, anomalies: [] }
    // A new thread's arena can have joined a live ring behind our back.
    if (target.kind === 'core' || looks > LIVE_LOOKS) return { ...skipped, closed: true }
    memory.clear()
  }
}

function behindBreak(
  target: Target,
  memory: PageCache,
  main: Address,
  layout: GlibcLayout,
  { arenas, broken }: { arenas: readonly Address[]; broken: Break },
): Ring {
  const known = new Set<bigint>(arenas)
  const lost = findFirstHeaps(target, memory)
    .map(({ arena }) => arena)
    .filter((arena) => !known.has(arena) && hasBins(memory, arena, layout))
  const row = inRingOrder(memory, lost, main, layout)
  const allFound = row !== null && !broken.leadsToHeap && target.problems.length === 0
  const code = 'ring-broken'
  if (lost.length === 0) {
    const what = `${broken.what}; arenas behind it are missing from this report`
    return { arenas, closed: false, allFound: false, anomalies: [{ at: broken.at, code, what }] }
  }
  const count = lost.length === 1 ? 'one more arena was' : `${lost.length} more arenas were`
  const rest = allFound ? 'in one row to main_arena' : 'there may be others, so that no total is known'
  const what = `${broken.what}; ${count} found by their heaps, ${rest}`
  return {
    arenas: [...arenas, ...(row ?? lost)],
    closed: false,
    allFound,
    anomalies: [{ at: broken.at, code, what }],
  }
}

interface Break {
  readonly at: Address
  readonly what: string
  /** The pointer may be right, and the arena that it names damaged or not saved. */
  readonly leadsToHeap: boolean
}

function followRing(
  memory: PageCache,
  main: Address,
  layout: GlibcLayout,
): { arenas: readonly Address[]; broken: Break | null } {
  const arenas: Address[] = [main]
  const seen = new Set<bigint>(arenas)
  for (let last = main; ; last = arenas.at(-1)!) {
    const next = nextOf(memory, last, layout)
    const leadsToHeap = next !== null && !seen.has(next) && heapOf(next, layout) !== null
    const broken = (what: string) => ({ arenas, broken: { at: last, what, leadsToHeap } })
    if (next === main) return { arenas, broken: null }
    const name = `next of arena ${arenas.length - 1} (${hex(last)})`
    if (next === null) return broken(`${name} cannot be read`)
    if (seen.has(next)) return broken(`${name} leads back to ${hex(next)}, not to main_arena`)
    if (nextOf(memory, next, layout) === null) return broken(`${name} is ${hex(next)}, which cannot be read`)
    if (!isArena(memory, next, layout)) return broken(`${name} is ${hex(next)}, where no arena is`)
    if (arenas.length >= MOST_ARENAS) return broken(`the ring has more than ${MOST_ARENAS} arenas`)
    seen.add(next)
    arenas.push(address(next))
  }
}

function nextOf(memory: PageCache, arena: bigint, layout: GlibcLayout): bigint | null {
  return memory.word(arena + BigInt(layout.arena.next), layout.wordBytes)
}

// A heap_info right before it names it, or else its bins are an arena's: damage has to hit both.
function isArena(memory: PageCache, at: bigint, layout: GlibcLayout): boolean {
  const heap = heapOf(at, layout)
  if (heap !== null && memory.word(heap + BigInt(layout.heapInfo.arena), layout.wordBytes) === at) return true
  return hasBins(memory, at, layout)
}

// Where the first heap of the arena at `at` would be; null when no heap can be there.
function heapOf(at: bigint, layout: GlibcLayout): bigint | null {
  const heap = at - BigInt(layout.heapInfo.sizeBytes)
  return heap > 0n && (heap & 0xfffffn) === 0n ? heap : null
}

// `lost` as `next` leads through all of them to main_arena, or null.
function inRingOrder(
  memory: PageCache,
  lost: readonly Address[],
  main: Address,
  layout: GlibcLayout,
): readonly Address[] | null {
  const left = new Set<bigint>(lost)
  for (const arena of lost) left.delete(nextOf(memory, arena, layout) ?? 0n)
  if (left.size !== 1) return null
  const row: Address[] = []
  const all = new Set<bigint>(lost)
  let at: bigint | null = [...left][0]!
  while (at !== null && all.delete(at)) {
    row.push(address(at))
    at = nextOf(memory, at, layout)
  }
  return at === main && all.size === 0 ? row : null
}
