// One look at a live process as a row of figures: small enough that a week of them can be kept.
import type { Arena, HeapModel } from '../malloc/heap-model.js'
import { LEDGER_LINES, type Ledger, type LedgerLine } from '../maps/ledger.js'
import { hex } from '../memory/address.js'
import type { Measured } from '../report/build-report.js'

/** Arenas kept one by one in a sample, the largest; the rest is one sum. */
export const MOST_ARENAS = 64

/** Resident bytes by line of the ledger. Absent: it holds nothing. Null: unknown. */
export type Categories = Readonly<Partial<Record<LedgerLine, number | null>>>

/** One arena, or the rest of them in one. Bytes; null: unknown. */
export interface ArenaSample {
  /** `main`, or the malloc_state's address in hex: an arena's place in the ring changes when another is made. */
  readonly name: string
  readonly systemBytes: number | null
  readonly inUseBytes: number | null
  readonly fastbinBytes: number | null
  readonly binnedBytes: number | null
  readonly topBytes: number | null
}

/** Byte counts are of one moment as far as a read of what moves allows; null is what could not be known. */
export interface Sample {
  /** When reading began, ms since 1970 (UTC). */
  readonly atMs: number
  /** How long it took. */
  readonly tookMs: number
  readonly threads: number
  readonly rssBytes: number | null
  readonly swapBytes: number | null
  /** VmSize. */
  readonly virtualBytes: number | null
  /** Null where residency is unknown. */
  readonly categories: Categories | null
  /** Null where there is no glibc malloc, or a part of the ring may be missing. */
  readonly arenas: number | null
  readonly heaps: number | null
  /** Sums over all arenas, mmapped chunks not counted; `freeInBinsBytes` has the fastbins. */
  readonly systemBytes: number | null
  readonly inUseBytes: number | null
  readonly freeInBinsBytes: number | null
  readonly topBytes: number | null
  /** What malloc_trim(0) would give back. */
  readonly trimReturnsBytes: number | null
  /** Arenas that changed during every read: their figures are of several moments, or null. */
  readonly movingArenas: number
  readonly mmappedChunks: number | null
  readonly mmappedBytes: number | null
  /** Largest first by system bytes, at most MOST_ARENAS. */
  readonly byArena: readonly ArenaSample[]
  /** The sum of those not in `byArena`; null when there are none. */
  readonly otherArenas: (ArenaSample & { readonly count: number }) | null
  readonly cgroupUsedBytes: number | null
  readonly cgroupLimitBytes: number | null
  readonly machineAvailableBytes: number | null
}

/** What a sample has that is not of the measurement of the process's memory. */
export interface Around {
  readonly atMs: number
  readonly tookMs: number
  readonly virtualBytes: number | null
  readonly machineAvailableBytes: number | null
  readonly swapBytes: number | null
}

/** The row of one measurement. */
export function sampleOf(facts: Measured, around: Around): Sample {
  const { heap, ledger, surroundings } = facts
  const totals = heap?.totals
  const ring = heap ? [...heap.arenas].sort((a, b) => (b.systemBytes ?? 0) - (a.systemBytes ?? 0)) : []
  return {
    ...around,
    threads: facts.threads,
    rssBytes: ledger?.totalBytes ?? null,
    categories: ledger && categoriesOf(ledger, heap),
    arenas: heap?.ringClosed ? heap.arenas.length : null,
    heaps: heap?.ringClosed ? heap.arenas.reduce((sum, arena) => sum + arena.heaps.length, 0) : null,
    systemBytes: totals?.systemBytes ?? null,
    inUseBytes: totals?.inUseBytes ?? null,
    freeInBinsBytes: plus(totals?.binnedBytes, totals?.fastbinBytes),
    topBytes: totals?.topBytes ?? null,
    trimReturnsBytes: totals?.trimReturnsBytes ?? null,
    movingArenas: ring.filter(({ moving }) => moving !== undefined).length,
    mmappedChunks: heap?.mmapped.count ?? null,
    mmappedBytes: heap?.mmapped.bytes ?? null,
    byArena: ring.slice(0, MOST_ARENAS).map(arenaSample),
    otherArenas: ring.length > MOST_ARENAS ? restOf(ring.slice(MOST_ARENAS)) : null,
    cgroupUsedBytes: surroundings?.memoryUsedBytes ?? null,
    cgroupLimitBytes: surroundings?.memoryLimitBytes ?? null,
  }
}

const MALLOC_LINES = LEDGER_LINES.filter((line) => line.startsWith('malloc: '))
const UNTOLD: LedgerLine = 'malloc: not told apart'

// Where the parts of one arena are unknown, those of the others are no figure of the process: only their sum is.
function categoriesOf({ entries }: Ledger, heap: HeapModel | null): Categories {
  const lines: Partial<Record<LedgerLine, number | null>> = {}
  for (const { line, residentBytes } of entries) lines[line] = residentBytes
  if (!heap || heap.arenas.every(({ resident }) => resident !== null)) return lines
  const sum = MALLOC_LINES.reduce((all, line) => all + (lines[line] ?? 0), 0)
  for (const line of MALLOC_LINES) lines[line] = line === UNTOLD ? sum : null
  return lines
}

function arenaSample(arena: Arena): ArenaSample {
  return {
    name: arena.isMain ? 'main' : hex(arena.address),
    systemBytes: arena.systemBytes,
    inUseBytes: arena.inUseBytes,
    fastbinBytes: arena.fastbinBytes,
    binnedBytes: arena.binnedBytes,
    topBytes: arena.topBytes,
  }
}

function restOf(rest: readonly Arena[]): NonNullable<Sample['otherArenas']> {
  const sum = (of: Exclude<keyof ArenaSample, 'name'>) =>
    rest.reduce<number | null>((total, { [of]: value }) => plus(total, value), 0)
  return {
    name: 'others',
    count: rest.length,
    systemBytes: sum('systemBytes'),
    inUseBytes: sum('inUseBytes'),
    fastbinBytes: sum('fastbinBytes'),
    binnedBytes: sum('binnedBytes'),
    topBytes: sum('topBytes'),
  }
}

function plus(a: number | null | undefined, b: number | null | undefined): number | null {
  return a === null || a === undefined || b === null || b === undefined ? null : a + b
}
