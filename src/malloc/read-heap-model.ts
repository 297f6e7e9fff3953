// malloc's whole state: main_arena, the ring of arenas, mp_'s mmapped chunks.
import { type Address, address, hex } from '../memory/address.js'
import { PageCache } from '../memory/page-cache.js'
import type { Symbols, Target } from '../target/target.js'
import { detectGlibc } from './detect.js'
import type { Anomaly, Arena, HeapModel, MmappedChunks } from './heap-model.js'
import type { GlibcLayout } from './layout.js'
import { measureArena } from './measure-arena.js'
import { findMmappedChunks } from './mmapped.js'

/** glibc's limit follows the number of CPUs; a ring longer than this is damage. */
const MOST_ARENAS = 65_536
const LIVE_RETRIES = 3

/** A target's malloc and the layout it was read with. */
export interface MallocState {
  readonly model: HeapModel
  readonly layout: GlibcLayout
}

/** Called while arenas are read: how many of those known so far. Awaited, so that it can let other work run. */
export type HeapProgress = (done: number, known: number) => void | Promise<void>

/**
 * Reads all arenas of a target. Null when no glibc malloc was found in it. `symbols` null: gdb is not at hand.
 */
export async function readHeapModel(
  target: Target,
  symbols: Symbols | null,
  progress: HeapProgress = () => {},
): Promise<MallocState | null> {
  const found = await detectGlibc(target, symbols)
  if (!found) return null
  const { glibc, layout } = found
  const memory = new PageCache(target.memory)
  const par = (field: number, bytes: 8 | 4): bigint | null =>
    glibc.mallocPar === null ? null : memory.word(glibc.mallocPar + BigInt(field), bytes)
  const context = {
    memory,
    layout,
    mainArena: glibc.mainArena,
    sbrkBase: par(layout.par.sbrkBase, layout.wordBytes),
    retries: target.kind === 'core' ? 0 : LIVE_RETRIES,
  }
  const anomalies: Anomaly[] = [...found.anomalies]
  const ring = followRing(memory, glibc.mainArena, layout, anomalies)
  const arenas: Arena[] = []
  for (const at of ring.arenas) {
    const measured = measureArena(context, at, arenas.length)
    arenas.push(measured.arena)
    anomalies.push(...measured.anomalies)
    await progress(arenas.length, ring.arenas.length)
  }
  memory.clear()
  const counters = {
    count: numberOrNull(par(layout.par.nMmaps, 4)),
    bytes: numberOrNull(par(layout.par.mmappedMem, layout.wordBytes)),
    maxBytes: numberOrNull(par(layout.par.maxMmappedMem, layout.wordBytes)),
  }
  const mmapped: MmappedChunks = {
    ...counters,
    found: findMmappedChunks(target, layout, arenas, counters),
  }
  return {
    model: {
      glibc,
      arenas,
      ringClosed: ring.closed,
      mmapped,
      totals: totalsOf(arenas, ring.closed),
      anomalies,
    },
    layout,
  }
}

function numberOrNull(value: bigint | null): number | null {
  return value === null ? null : Number(value)
}

// Unknown as soon as one arena's figure is, or an arena may be missing.
function totalsOf(arenas: readonly Arena[], allArenas: boolean): HeapModel['totals'] {
  const sum = (of: (arena: Arena) => number | null): number | null =>
    arenas.reduce<number | null>(
      (total, arena) => {
        const value = of(arena)
        return total === null || value === null ? null : total + value
      },
      allArenas ? 0 : null,
    )
  return {
    systemBytes: sum((arena) => arena.systemBytes),
    inUseBytes: sum((arena) => arena.inUseBytes),
    freeBytes: sum((arena) => arena.freeBytes),
  }
}

// malloc_state.next from main_arena back to main_arena.
function followRing(
  memory: PageCache,
  main: Address,
  layout: GlibcLayout,
  anomalies: Anomaly[],
): { arenas: readonly Address[]; closed: boolean } {
  const arenas: Address[] = [main]
  const seen = new Set<bigint>(arenas)
  const broken = (at: Address, what: string) => {
    anomalies.push({
      at,
      code: 'ring-broken',
      what: `${what}; arenas behind it are missing from this report`,
    })
    return { arenas, closed: false }
  }
  for (let last = main; ; last = arenas.at(-1)!) {
    const next = memory.word(last + BigInt(layout.arena.next), layout.wordBytes)
    if (next === main) return { arenas, closed: true }
    const name = `next of arena ${arenas.length - 1} (${hex(last)})`
    if (next === null) return broken(last, `${name} cannot be read`)
    if (seen.has(next)) return broken(last, `${name} leads back to ${hex(next)}, not to main_arena`)
    if (memory.word(next + BigInt(layout.arena.next), layout.wordBytes) === null) {
      return broken(last, `${name} is ${hex(next)}, which cannot be read`)
    }
    if (arenas.length >= MOST_ARENAS) return broken(last, `the ring has more than ${MOST_ARENAS} arenas`)
    seen.add(next)
    arenas.push(address(next))
  }
}
