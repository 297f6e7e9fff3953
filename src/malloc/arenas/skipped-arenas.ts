// Arenas that a closed ring leaves out: a `next` was overwritten with the address of an arena further on.
import { type Address, address, hex } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Target } from '../../target/target.js'
import { hasBins } from '../detect/probe-main-arena.js'
import type { Anomaly } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { otherFirstHeaps } from './find-arenas.js'
import { heapMaxCandidates, readHeapChain } from './heap-chain.js'

/** The ring with the arenas that it leaves out where their own `next` puts them. */
export interface RepairedRing {
  readonly arenas: readonly Address[]
  /** False when of a target that is not whole others may be missing. */
  readonly allFound: boolean
  readonly anomalies: readonly Anomaly[]
}

/**
 * Null when no arena is left out. glibc never takes an arena out of its ring, so each that is found by its first heap
 * belongs there, when it is one beyond doubt: the heap names it and lies right before it, its bins and its heaps are
 * sound, and its `next` leads, through others like it, into the ring. (The arenas of a second libc lead to another
 * main_arena; one that was made while the core was taken leads nowhere yet.)
 */
export function skippedArenas(
  target: Target,
  memory: PageCache,
  ring: readonly Address[],
  layout: GlibcLayout,
  hugePageBytes: bigint,
): RepairedRing | null {
  const headerBytes = BigInt(layout.heapInfo.sizeBytes)
  const heaps = new Set<bigint>(ring.map((arena) => arena - headerBytes))
  const [heapMaxBytes] = heapMaxCandidates(layout.wordBytes, hugePageBytes)
  const lost = otherFirstHeaps(target, memory, heaps, heapMaxBytes!)
    .filter(({ heap, arena }) => arena === heap + headerBytes)
    .map(({ arena }) => arena)
    .filter((arena) => hasBins(memory, arena, layout) && hasHeaps(memory, arena, layout, hugePageBytes))
  if (lost.length === 0) return null
  const rows = rowsInto(memory, lost, ring, layout)
  if (rows.length === 0) return null
  const arenas = [...ring]
  const anomalies: Anomaly[] = []
  for (const { row, into } of rows) {
    const at = into === ring[0] ? arenas.length : arenas.indexOf(into)
    const before = arenas[at - 1]!
    const many = row.length === 1 ? 'the arena' : `${row.length} arenas from`
    const what = `next of arena ${hex(before)} is ${hex(into)} and skips ${many} ${hex(row[0]!)}, found by ${row.length === 1 ? 'its heap' : 'their heaps'}`
    anomalies.push({ at: before, code: 'ring-skips-arena', what })
    arenas.splice(at, 0, ...row)
  }
  return { arenas, allFound: target.problems.length === 0, anomalies }
}

function hasHeaps(memory: PageCache, arena: Address, layout: GlibcLayout, hugePageBytes: bigint): boolean {
  const top = memory.word(arena + BigInt(layout.arena.top), layout.wordBytes)
  if (top === null || top === 0n) return false
  return readHeapChain(memory, arena, address(top), layout, hugePageBytes).damage === null
}

// Rows of lost arenas, each linked by `next`, and the arena of the ring that the last one's leads to.
function rowsInto(
  memory: PageCache,
  lost: readonly Address[],
  ring: readonly Address[],
  layout: GlibcLayout,
): readonly { readonly row: readonly Address[]; readonly into: Address }[] {
  const members = new Set<bigint>(ring)
  const left = new Set<bigint>(lost)
  const next = new Map<bigint, bigint | null>(
    lost.map((arena) => [arena, memory.word(arena + BigInt(layout.arena.next), layout.wordBytes)]),
  )
  const named = new Set(next.values())
  const rows: { row: Address[]; into: Address }[] = []
  // First those that no lost one leads to: their rows are the longest.
  for (const first of [...lost].sort((a, b) => Number(named.has(a)) - Number(named.has(b)))) {
    const row: Address[] = []
    let at: bigint | null = first
    while (at !== null && left.delete(at)) {
      row.push(address(at))
      at = next.get(at) ?? null
    }
    if (at !== null && members.has(at) && row.length > 0) {
      rows.push({ row, into: address(at) })
      for (const arena of row) members.add(arena)
    }
  }
  return rows
}
