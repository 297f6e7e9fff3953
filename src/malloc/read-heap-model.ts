// malloc's whole state: main_arena, the ring of arenas, threads' caches, mp_'s mmapped chunks.
import type { Address } from '../memory/address.js'
import { MemoryFault } from '../memory/memory-fault.js'
import { PageCache } from '../memory/page-cache.js'
import { regionAt } from '../memory/region.js'
import type { MappingUse, Symbols, Target } from '../target/target.js'
import { anonymousMemory } from './arenas/anonymous-memory.js'
import { arenaFigures } from './arenas/arena-figures.js'
import { readArenaHeader } from './arenas/arena-header.js'
import { cachedSums } from './arenas/cached-sums.js'
import { hugePageOfHeaps } from './arenas/heap-chain.js'
import { type ArenaContext, type MeasuredArena, measureArena } from './arenas/measure-arena.js'
import { sameState } from './arenas/moving-arena.js'
import { readRing } from './arenas/read-ring.js'
import type { TrimContext } from './arenas/residency.js'
import { areStillAll, findMmappedChunks } from './chunks/mmapped.js'
import type { PagesOf } from './chunks/page-tally.js'
import { type Detection, detectGlibc } from './detect/detect.js'
import type { Anomaly, Arena, HeapModel, HeapTotals, MmappedChunks } from './heap-model.js'
import { type GlibcLayout, minorVersion } from './layout.js'
import { readParameters } from './read-parameters.js'
import { cachesByContent, tcacheChunkSizes } from './threads/caches-by-content.js'
import { readThreads, type TcacheReads } from './threads/read-threads.js'
import { tcacheLayouts } from './threads/tcache-layout.js'
import type { ThreadCache, ThreadMalloc } from './threads/thread-cache.js'

/** How long arenas that change are read again and again: at least so long, and a multiple of reading all of them. */
const SETTLE_MS = 1000
const SETTLE_COSTS = 2
const PAUSE_MS = 1
/** User space with five levels of page tables; of 32 bits no number is more. */
const MOST_MMAPPED = 2n ** 57n
/** Arenas with larger heaps are walked where they are. */
const MOST_COPIED = 64 << 20

/** A target's malloc and the layout it was read with. */
export interface MallocState {
  readonly model: HeapModel
  readonly layout: GlibcLayout
  /** What `ReadOptions.known` takes; only where `keepReads` asked for it. */
  readonly reads?: ArenaReads
}

/** Arenas as they were measured, for another look soon after. */
export interface ArenaReads {
  readonly arenas: readonly MeasuredArena[]
  /** What measuring them took. */
  readonly elapsedMs: number
  /** Of those, how many were taken from the look before, as their headers had not changed. */
  readonly reused: number
  readonly tcaches: TcacheReads
  readonly detection: Detection
  readonly mmapped: MmappedChunks['found']
  readonly locked: readonly MappingUse[]
  readonly tellsPages: boolean
}

export interface ReadOptions {
  readonly progress?: HeapProgress
  /** The target's memory does not move meanwhile. */
  readonly still?: boolean
  /** From a look just before: arenas whose headers have not changed since are taken from there. */
  readonly known?: ArenaReads
  readonly keepReads?: boolean
  /** How long arenas that change are read again; by default a second, or twice what reading all of them took. */
  readonly settleMs?: number
  /** Called when malloc's memory was read, and only what is in RAM is still to be asked for. */
  readonly onRead?: () => Promise<void>
}

/** An arena by its header alone, which is known before any chunk is read. */
export interface ArenaGlimpse {
  readonly index: number
  readonly address: Address
  /** Null where the header cannot be read. */
  readonly systemBytes: number | null
  readonly attachedThreads: number | null
}

/**
 * Called while arenas are read: how many of those known so far, and what their headers say. First before any chunk is
 * read. Awaited, so that it can let other work run.
 */
export type HeapProgress = (
  done: number,
  known: number,
  glimpses: readonly ArenaGlimpse[],
) => void | Promise<void>

/**
 * Reads all arenas of a target. Null when no glibc malloc was found in it. `symbols` null: gdb is not at hand.
 */
export async function readHeapModel(
  target: Target,
  symbols: Symbols | null,
  options: ReadOptions = {},
): Promise<MallocState | null> {
  const found = options.known?.detection ?? (await detectGlibc(target, symbols))
  return found && readDetected(target, found, symbols, options)
}

/** Reads all arenas with a layout that was found already. */
export async function readDetected(
  target: Target,
  detection: Detection,
  symbols: Symbols | null,
  options: ReadOptions = {},
): Promise<MallocState> {
  const { glibc, layout } = detection
  const minor = minorVersion(glibc.version)
  const memory = new PageCache(target.memory)
  const par = (field: number, bytes: 8 | 4): bigint | null =>
    glibc.mallocPar === null ? null : memory.word(glibc.mallocPar + BigInt(field), bytes)
  const anomalies: Anomaly[] = [...detection.anomalies]
  const hugePageBytes = hugePageOfHeaps(memory, glibc.mallocPar, layout, minor)
  const earlier = options.known?.arenas.map((arena) => arena.address)
  const ring = readRing(target, memory, glibc.mainArena, layout, hugePageBytes, earlier)
  anomalies.push(...ring.anomalies)
  const parameters = readParameters(memory, glibc.mallocPar, layout)
  const pages = pagesOf(target, options.known?.tellsPages ?? null)
  const still = options.still ?? target.kind !== 'live'
  const reads = await measureAll(
    {
      memory,
      layout,
      mainArena: glibc.mainArena,
      sbrkBase: par(layout.par.sbrkBase, layout.wordBytes),
      watched: tcacheChunkSizes(tcacheLayouts(minor, layout.wordBytes)),
      pagesOf: pages,
      pageBytes: target.pageBytes,
      hugePageBytes,
      still,
    },
    target,
    ring.arenas,
    options,
  )
  const measured = reads.arenas
  const threads = await threadsAndCaches(target, symbols, layout, minor, measured, {
    still,
    ...(options.known ? { known: options.known.tcaches } : {}),
  })
  const plausible = (field: string, value: bigint | null): number | null => {
    if (value === null || value <= MOST_MMAPPED) return numberOrNull(value)
    const what = `mp_.${field} is ${value}, more than an address space holds`
    anomalies.push({ at: glibc.mallocPar!, code: 'mmapped-bytes-impossible', what })
    return null
  }
  const counters = {
    count: numberOrNull(par(layout.par.nMmaps, 4)),
    bytes: plausible('mmapped_mem', par(layout.par.mmappedMem, layout.wordBytes)),
    maxBytes: plausible('max_mmapped_mem', par(layout.par.maxMmappedMem, layout.wordBytes)),
  }
  const before = options.known?.mmapped ?? null
  const found =
    before && areStillAll(target, layout, before, counters)
      ? before
      : findMmappedChunks(target, layout, measured, counters)
  const mmapped: MmappedChunks = { ...counters, found }
  // thp_pagesize lies one word before hp_pagesize (glibc 2.35 malloc/malloc.c, struct malloc_par).
  const { hugePageBytes: hpPage } = layout.par
  const hugePages = hpPage === null ? null : par(hpPage - layout.wordBytes, layout.wordBytes)
  await options.onRead?.()
  const cached = threads.allFound ? cachedSums(threads.caches, measured) : null
  const locked = options.known?.locked ?? target.mappingUses().filter((use) => use.locked)
  const trim = pages && trimContext(target, pages, layout, hugePages, locked)
  const arenas: Arena[] = measured.map((one, index) => {
    const figures = arenaFigures(one, index, cached?.[index] ?? null, trim, !still)
    anomalies.push(...figures.anomalies)
    return figures.arena
  })
  memory.clear()
  const model: HeapModel = {
    glibc,
    arenas,
    ringClosed: ring.closed,
    mmapped,
    parameters,
    totals: totalsOf(arenas, ring.allFound),
    threads: threads.threads,
    caches: threads.caches,
    allCachesFound: threads.allFound,
    notes: threads.notes,
    anomalies: [...anomalies, ...threads.anomalies],
  }
  return options.keepReads
    ? {
        model,
        layout,
        reads: {
          ...reads,
          tcaches: threads.reads,
          mmapped: found,
          detection,
          locked,
          tellsPages: pages !== null,
        },
      }
    : { model, layout }
}

// Residency as the walk asks for it; null where the target knows nothing of it.
function pagesOf(target: Target, tellsPages: boolean | null): PagesOf | null {
  const first = target.regions()[0]
  if (!first || !(tellsPages ?? target.residentPages(first.start, first.end) !== null)) return null
  return (start, end) => target.residentPages(start, end)
}

function trimContext(
  target: Target,
  pages: PagesOf,
  { wordBytes }: GlibcLayout,
  hugePages: bigint | null,
  locked: readonly MappingUse[],
): TrimContext {
  return {
    pagesOf: pages,
    pageBytes: target.pageBytes,
    wordBytes,
    hugePageBytes: Number(hugePages ?? 0n),
    isLocked: (at) => regionAt(locked, at) !== null,
    isBreak: (end, isContiguous) => {
      const region = regionAt(target.regions(), end - 1n)
      return region?.end === end && (isContiguous || region.path === '[heap]')
    },
  }
}

interface ThreadsAndCaches {
  readonly threads: readonly ThreadMalloc[]
  readonly caches: readonly ThreadCache[]
  readonly anomalies: readonly Anomaly[]
  readonly allFound: boolean
  readonly notes: readonly string[]
  readonly reads: TcacheReads
}

// Caches by their threads; where threads cannot be read (a core without their stacks), by the content of used chunks.
async function threadsAndCaches(
  target: Target,
  symbols: Symbols | null,
  layout: GlibcLayout,
  minor: number | null,
  measured: readonly MeasuredArena[],
  options: { readonly still: boolean; readonly known?: TcacheReads },
): Promise<ThreadsAndCaches> {
  const found = await readThreads(target, symbols, layout, minor, measured, options)
  if (found.allFound) return { ...found, notes: brokenCaches(found.caches) }
  const watched = measured.flatMap(({ walked, partly }) => (walked ?? partly)?.tally.watched ?? [])
  const candidates = BigUint64Array.from(watched)
  const more = cachesByContent(target, candidates, layout, found.layouts, found.caches)
  const caches = [...found.caches, ...more.caches]
  // A thread has one, but nowhere among the used chunks is one that could be it: what lay in it would count as live.
  const oneIsLost = more.caches.length < found.destroyed
  const told = found.unknown === 1 ? 'the tcache of one thread' : `the tcaches of ${found.unknown} threads`
  const byContent = `${told} could not be reached and were looked for by their content, ${more.caches.length} found: live and tcache bytes take for granted that no other is damaged or holds chunks`
  return {
    threads: found.threads,
    reads: found.reads,
    caches,
    notes: [...brokenCaches(caches), ...(measured.some(({ walked }) => walked) ? [byContent] : [])],
    anomalies: [...found.anomalies, ...more.anomalies],
    // Each tcache is a used chunk, and every chunk was looked at: empty ones can be missing, and one in which more
    // bins are broken than sound, whose chunks then count as live.
    allFound: !oneIsLost && more.anomalies.length === 0 && measured.every(({ walked }) => walked !== null),
  }
}

function brokenCaches(caches: readonly ThreadCache[]): readonly string[] {
  const broken = caches.filter(({ complete }) => !complete).length
  if (broken === 0) return []
  const whose = broken === 1 ? 'a tcache is' : `${broken} tcaches are`
  return [
    `${whose} damaged or was changing: chunks that lists do not lead to any more count as live, not as tcache`,
  ]
}

// In ring order; main_arena last, since what the other arenas hold narrows where pieces of its heap can be.
async function measureAll(
  context: Omit<ArenaContext, 'mainStretches'>,
  target: Target,
  ring: readonly Address[],
  { progress = () => {}, known, settleMs }: ReadOptions,
): Promise<Pick<ArenaReads, 'arenas' | 'elapsedMs' | 'reused'>> {
  const others: MeasuredArena[] = []
  const whole: ArenaContext = {
    ...context,
    mainStretches: () =>
      anonymousMemory(
        target,
        others.flatMap(({ heaps }) => heaps),
        true,
      ),
  }
  const glimpses = ring.map((at, index) => glimpseOf(context, at, index))
  await progress(0, ring.length, glimpses)
  const began = performance.now()
  const earlier = new Map(known?.arenas.map((arena) => [arena.address, arena]))
  let reused = 0
  const measureOrReuse = (at: Address): MeasuredArena => {
    const before = earlier.get(at)
    if (!before || !isUnchanged(context, before)) return measureArena(whole, at)
    reused++
    return before
  }
  for (const at of ring.slice(1)) {
    others.push(measureOrReuse(at))
    await progress(others.length, ring.length, glimpses)
  }
  const all = [measureOrReuse(ring[0]!), ...others]
  await progress(ring.length, ring.length, glimpses)
  const elapsedMs = performance.now() - began
  if (!context.still) await settle(whole, all, settleMs ?? Math.max(SETTLE_MS, SETTLE_COSTS * elapsedMs))
  return { arenas: all, elapsedMs, reused }
}

// Nearly all that changes chunks shows in malloc_state: fastbins, bins, top, system_mem.
function isUnchanged(
  { memory, layout }: Pick<ArenaContext, 'memory' | 'layout'>,
  arena: MeasuredArena,
): boolean {
  if (!arena.walked || !arena.header || arena.anomalies.length > 0) return false
  try {
    const now = readArenaHeader(memory.source, arena.address, layout.arena, layout.wordBytes)
    return sameState(now.bytes, arena.header.bytes)
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error
    return false
  }
}

// Reads what changed again, all of them in turn: threads that share few CPUs leave their arenas alone for moments.
async function settle(context: ArenaContext, all: MeasuredArena[], mostMs: number): Promise<void> {
  const end = performance.now() + mostMs
  const unsettled = () => all.filter((arena) => arena.unsettled !== null)
  const room = unsettled().length > 0 ? new Uint8Array(MOST_COPIED) : null
  while (unsettled().length > 0) {
    for (const { address: at, unsettled: seen } of unsettled()) {
      // Who has slept runs on for longer before others' turn comes: long enough for a copy.
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      if (performance.now() >= end) return
      all[all.findIndex((arena) => arena.address === at)] = measureArena(context, at, seen, room)
    }
  }
}

function glimpseOf(
  { memory, layout }: Pick<ArenaContext, 'memory' | 'layout'>,
  at: Address,
  index: number,
): ArenaGlimpse {
  try {
    const header = readArenaHeader(memory.source, at, layout.arena, layout.wordBytes)
    return { index, address: at, systemBytes: header.systemBytes, attachedThreads: header.attachedThreads }
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error
    return { index, address: at, systemBytes: null, attachedThreads: null }
  }
}

function numberOrNull(value: bigint | null): number | null {
  return value === null ? null : Number(value)
}

// Unknown as soon as one arena's figure is, or an arena may be missing.
function totalsOf(arenas: readonly Arena[], allArenas: boolean): HeapTotals {
  const reduce = (of: keyof HeapTotals, join: (a: number, b: number) => number): number | null =>
    arenas.reduce<number | null>(
      (total, { [of]: value }) => (total === null || value === null ? null : join(total, value)),
      allArenas ? 0 : null,
    )
  const sum = (of: keyof HeapTotals) => reduce(of, (a, b) => a + b)
  return {
    systemBytes: sum('systemBytes'),
    inUseBytes: sum('inUseBytes'),
    freeBytes: sum('freeBytes'),
    fastbinBytes: sum('fastbinBytes'),
    binnedBytes: sum('binnedBytes'),
    topBytes: sum('topBytes'),
    liveBytes: sum('liveBytes'),
    usedChunks: sum('usedChunks'),
    tcacheBytes: sum('tcacheBytes'),
    tcacheChunks: sum('tcacheChunks'),
    overheadBytes: sum('overheadBytes'),
    largestFreeBytes: reduce('largestFreeBytes', Math.max),
    trimReturnsBytes: sum('trimReturnsBytes'),
  }
}
