// Sums over arenas and lines of the ledger that several rules need.
import type { Arena, ArenaResidency, HeapModel } from '../malloc/heap-model.js'
import type { LedgerLine } from '../maps/ledger.js'
import type { Facts } from './facts.js'

/** Sum of `of` over arenas; null when one is unknown. */
export function sumOf(arenas: readonly Arena[], of: (arena: Arena) => number | null): number | null {
  let sum = 0
  for (const arena of arenas) {
    const value = of(arena)
    if (value === null) return null
    sum += value
  }
  return sum
}

/** Resident bytes of one part, over arenas; null where residency of one is unknown. */
export function residentOf(arenas: readonly Arena[], part: keyof ArenaResidency): number | null {
  return sumOf(arenas, ({ resident }) => resident?.[part] ?? null)
}

/** All resident bytes of the heaps of arenas. */
export function residentBytes(arenas: readonly Arena[]): number | null {
  return sumOf(
    arenas,
    ({ resident }) => resident && Object.values(resident).reduce((sum, part) => sum + part, 0),
  )
}

/** One line of the ledger, 0 where it holds nothing; null without a ledger. */
export function ledgerBytes({ ledger }: Facts, line: LedgerLine): number | null {
  if (!ledger) return null
  return ledger.entries.find((entry) => entry.line === line)?.residentBytes ?? 0
}

/** Arenas but main_arena. */
export function nonMain(heap: HeapModel): readonly Arena[] {
  return heap.arenas.filter(({ isMain }) => !isMain)
}
