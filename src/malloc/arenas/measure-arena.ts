// One arena's header, heaps and chunks.
import { type Address, address, hex } from '../../memory/address.js'
import { MemoryFault } from '../../memory/memory-fault.js'
import { PageCache } from '../../memory/page-cache.js'
import { type ListSum, walkBins, walkFastbins } from '../chunks/bins.js'
import { type PagesOf, PageTally } from '../chunks/page-tally.js'
import { Tally } from '../chunks/tally.js'
import { walkSegment } from '../chunks/walk.js'
import { damageAnomalies } from '../damage/damage-anomalies.js'
import { type MainHeapParts, withDamagedPieces } from '../damage/damaged-pieces.js'
import { listNodes } from '../damage/list-nodes.js'
import { walkDamaged } from '../damage/walk-damaged.js'
import type { Anomaly, Heap } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import type { AnonymousStretch } from './anonymous-memory.js'
import { type ArenaHeader, NONCONTIGUOUS, readArenaHeader } from './arena-header.js'
import { CopiedMemory, type Stretch } from './copied-memory.js'
import { readHeapChain } from './heap-chain.js'
import { walkMainHeap } from './main-heap.js'
import { isLocked, movingAnomaly, sameState, seenIn, type Unsettled } from './moving-arena.js'
import { segmentsOf } from './segments.js'

/** What is common to all arenas of a target. */
export interface ArenaContext {
  readonly memory: PageCache
  readonly layout: GlibcLayout
  readonly mainArena: Address
  /** mp_.sbrk_base, null when unknown; 0 before the first sbrk. */
  readonly sbrkBase: bigint | null
  /** Chunk sizes that a tcache_perthread_struct has: such chunks are noted. */
  readonly watched: ReadonlySet<number>
  /** Where pieces of a non-contiguous main heap can be. */
  readonly mainStretches: () => readonly AnonymousStretch[]
  /** Which pages are in RAM; null where nothing is known of any. */
  readonly pagesOf: PagesOf | null
  readonly pageBytes: number
  /** That the size of heaps follows (`hugePageOfHeaps`), 0 when it does not. */
  readonly hugePageBytes: bigint
  /** True where memory does not move: a core, a process that stands still. */
  readonly still: boolean
}

/** Every chunk of an arena, seen from the first to top. */
export interface WalkedArena {
  readonly tally: Tally
  /** heap_info, malloc_state, alignment, fenceposts, foreign memory between pieces of the main heap. */
  readonly overheadBytes: number
}

/** The chunks of an arena that could be told around damage. */
export interface PartlyWalkedArena {
  readonly tally: Tally
  /** Bytes of its heaps of which no chunk could be told. */
  readonly skippedBytes: number
}

/** An arena as it was found; null parts could not be read or followed. */
export interface MeasuredArena {
  readonly address: Address
  readonly isMain: boolean
  readonly header: ArenaHeader | null
  /** system_mem; null when it cannot be so much. */
  readonly systemBytes: number | null
  readonly heaps: readonly Heap[]
  readonly topBytes: number | null
  readonly fast: ListSum | null
  /** By the lists, where the walk could not be done whole. */
  readonly binned: ListSum | null
  readonly walked: WalkedArena | null
  /** Null when `walked` is not, or no heap is known. */
  readonly partly: PartlyWalkedArena | null
  readonly anomalies: readonly Anomaly[]
  /** Null when this is one picture; otherwise another read may give one. */
  readonly unsettled: Unsettled | null
}

/**
 * Measures the arena at `at`; damage and missing memory become anomalies, never exceptions. Where memory moves this is
 * one read of several: the arena is settled when `unsettled` is null. `earlier`: of the read before. `room`: where its
 * heaps are copied to at once if they fit, so that less of its changes comes in between.
 */
export function measureArena(
  context: ArenaContext,
  at: Address,
  earlier: Unsettled | null = null,
  room: Uint8Array | null = null,
): MeasuredArena {
  const { memory, layout } = context
  const isMain = at === context.mainArena
  memory.clear()
  try {
    const before = readArenaHeader(memory.source, at, layout.arena, layout.wordBytes)
    if (context.still) return measureOnce(context, before, at, isMain, true)
    const copy = room && copyOf(context, before, at, room)
    const afterCopy = copy && readArenaHeader(memory.source, at, layout.arena, layout.wordBytes)
    const measured = measureOnce(copy ? { ...context, memory: copy } : context, before, at, isMain, false)
    const after = afterCopy ?? readArenaHeader(memory.source, at, layout.arena, layout.wordBytes)
    const isSame = sameState(before.bytes, after.bytes)
    if (isSame && addsUp(measured)) return measured
    const broken = (earlier?.broken ?? 0) + (isSame && !isLocked(after.bytes) ? 1 : 0)
    // It stands still, nobody works on it, and it looks damaged each time: it is.
    if (isSame && broken >= BROKEN_READS) return measureOnce(context, after, at, isMain, true)
    const seen = seenIn(measured, [before.systemBytes, after.systemBytes], earlier?.seen ?? null)
    return { ...measured, anomalies: [movingAnomaly(at, seen)], unsettled: { seen, broken } }
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error
    const what = `arena ${hex(at)}: ${error.message}`
    const anomalies = [{ at: error.address, code: 'arena-unreadable', what }]
    const nothing = { header: null, systemBytes: null, heaps: [], topBytes: null, fast: null, binned: null }
    return { address: at, isMain, ...nothing, walked: null, partly: null, anomalies, unsettled: null }
  }
}

// The header may be as before although top moved on and back in between: then its size is not of the same moment.
function addsUp(measured: MeasuredArena): boolean {
  const { walked, systemBytes, topBytes } = measured
  if (!walked) return false
  if (systemBytes === null || topBytes === null) return true
  const { tally, overheadBytes } = walked
  const sum = tally.usedBytes + tally.freeBytes + overheadBytes + topBytes
  return sum === systemBytes && bytesBehindTop(measured) === 0
}

// glibc's top reaches to the end of its heap, in all arenas but main_arena (grow_heap, heap_trim: malloc/arena.c).
function bytesBehindTop({ isMain, header, heaps, topBytes }: MeasuredArena): number {
  if (isMain || !header || topBytes === null) return 0
  const { top } = header
  const heap = heaps.find(({ address: start, sizeBytes }) => start <= top && top < start + BigInt(sizeBytes))
  return heap ? Number(heap.address - top) + heap.sizeBytes - topBytes : 0
}

/** Reads of an arena without change that all met damage, before damage is looked for. */
const BROKEN_READS = 3

// Null where its heaps are not known, or too large.
function copyOf(
  { memory, layout, sbrkBase, hugePageBytes, mainArena }: ArenaContext,
  { top }: ArenaHeader,
  at: Address,
  room: Uint8Array,
): PageCache | null {
  let stretches: readonly Stretch[]
  if (at === mainArena) {
    if (sbrkBase === null || top < sbrkBase) return null
    // Of top its header is all that is read.
    stretches = [{ address: address(sbrkBase), sizeBytes: Number(top - sbrkBase) + 2 * layout.wordBytes }]
  } else {
    const { heaps, damage } = readHeapChain(memory, at, top, layout, hugePageBytes)
    if (damage) return null
    stretches = heaps
  }
  const bytes = stretches.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return bytes > room.length
    ? null
    : new PageCache(new CopiedMemory(memory.source, stretches, room), COPY_LINES)
}

const COPY_LINES = 1024

// More than mmap hands out unasked: 128 TiB (256 on aarch64), 4 GiB of 32 bits.
const MOST_SYSTEM_BYTES = { 8: 2 ** 48, 4: 2 ** 32 } as const

// `still`: the memory does not move, so that a walk which stops has met damage, which is worth a closer look.
function measureOnce(
  context: ArenaContext,
  read: ArenaHeader,
  at: Address,
  isMain: boolean,
  still: boolean,
): MeasuredArena {
  const { layout, memory } = context
  const anomalies: Anomaly[] = []
  const most = MOST_SYSTEM_BYTES[layout.wordBytes]
  const possible = read.systemBytes <= most
  const header = possible ? read : { ...read, systemBytes: most }
  if (!possible) {
    const what = `arena ${hex(at)}: system_mem is ${hex(BigInt(read.systemBytes))}, expected at most ${hex(BigInt(most))}: overwritten`
    anomalies.push({ at, code: 'system-bytes-impossible', what })
  }
  const fastChunks: number[] = []
  const fast = walkFastbins(memory, at, layout, header.systemBytes, (chunk) => fastChunks.push(Number(chunk)))
  const tally = newTally(context, fastChunks)
  const topBytes = sizeOfTop(context, header, at, anomalies)
  const extent = isMain
    ? measureMain(context, header, topBytes, tally, anomalies)
    : measureChained(context, header, at, tally, anomalies)
  tally.pages?.end()
  const { walked } = extent
  const around = still && extent.stopped ? walkAround(context, header, at, extent, anomalies) : null
  const partly = around?.partly ?? null
  const heaps = around?.heaps ?? extent.heaps
  const binned = walked || !still ? null : walkBins(memory, at, layout, header.systemBytes)
  for (const damage of [fast.damage, binned?.damage]) if (damage) anomalies.push(damage)
  const systemBytes = possible ? header.systemBytes : null
  const measured: MeasuredArena = {
    address: at,
    isMain,
    header,
    systemBytes,
    heaps,
    topBytes,
    fast,
    binned,
    walked,
    partly,
    anomalies,
    unsettled: null,
  }
  const behind = walked ? bytesBehindTop(measured) : 0
  if (behind !== 0) {
    const what = `top ${hex(header.top)} of arena ${hex(at)} has ${topBytes} bytes, its heap ends after ${topBytes! + behind}`
    anomalies.push({ at: header.top, code: 'top-broken', what })
  }
  return measured
}

function newTally({ watched, pagesOf, pageBytes, layout }: ArenaContext, fast: readonly number[]): Tally {
  if (!pagesOf) return new Tally(watched)
  const fastChunks = Float64Array.from(fast).sort()
  return new Tally(watched, new PageTally({ pagesOf, pageBytes, wordBytes: layout.wordBytes, fastChunks }))
}

interface Extent {
  readonly heaps: readonly Heap[]
  readonly walked: WalkedArena | null
  /** The heaps are known, but a walk of one met damage. */
  readonly stopped: boolean
  /** A main heap in pieces, of which not all could be walked: where the rest can be. */
  readonly parts?: MainHeapParts
}

// The second walk, of an arena in which the first met damage.
function walkAround(
  { memory, layout, watched, mainArena }: ArenaContext,
  { top, systemBytes }: ArenaHeader,
  at: Address,
  extent: Extent,
  anomalies: Anomaly[],
): { readonly partly: PartlyWalkedArena; readonly heaps: readonly Heap[] } {
  const nodes = listNodes(memory, at, layout, systemBytes)
  const { parts } = extent
  const heaps = parts ? withDamagedPieces(memory, layout, nodes, parts) : extent.heaps
  const held = heaps.reduce((sum, heap) => sum + heap.sizeBytes, 0)
  const tally = new Tally(watched)
  const segments = segmentsOf({ address: at, isMain: at === mainArena, top, heaps }, layout)
  const walks = segments.map((segment) => ({
    segment,
    gaps: walkDamaged(memory, segment, layout, nodes, { tally }).gaps,
  }))
  // A damaged system_mem can say less than what was found.
  const missingBytes = parts ? Math.max(0, systemBytes - held) : 0
  const damage = damageAnomalies(memory, at, layout, walks, missingBytes)
  anomalies.push(...damage.anomalies)
  return { partly: { tally, skippedBytes: damage.skippedBytes }, heaps }
}

// system_mem counts all between sbrk_base and top. It can be wrong by damage, but memory far larger is not one heap.
const MOST_UNCOUNTED = 2 ** 30

function measureMain(
  context: ArenaContext,
  header: ArenaHeader,
  topBytes: number | null,
  tally: Tally,
  anomalies: Anomaly[],
): Extent {
  const { sbrkBase, layout, memory } = context
  const { systemBytes, top } = header
  if (systemBytes === 0) return { heaps: [], walked: { tally, overheadBytes: 0 }, stopped: false }
  const isContiguous = (header.flags & NONCONTIGUOUS) === 0
  const isPossible = (base: bigint, size: number) =>
    top >= base && Number(top - base) + size <= systemBytes + MOST_UNCOUNTED
  if (topBytes === null || sbrkBase === null || (isContiguous && !isPossible(sbrkBase, topBytes))) {
    const what = 'where the main heap begins is unknown: its chunks are told by their lists only'
    anomalies.push({ at: context.mainArena, code: 'main-heap-unknown', what })
    return { heaps: [], walked: null, stopped: false }
  }
  const extent = { top, topBytes, systemBytes, sbrkBase, isContiguous }
  const main = walkMainHeap(memory.source, extent, layout, tally, context.mainStretches)
  if ('ended' in main) {
    if (isContiguous) return { heaps: [brkArea(sbrkBase, top, topBytes)], walked: null, stopped: true }
    const { found = [], stretches = [] } = main
    return {
      heaps: found,
      walked: null,
      stopped: true,
      parts: { top, topBytes, systemBytes, found, stretches },
    }
  }
  const held = main.heaps.reduce((sum, heap) => sum + heap.sizeBytes, 0) + main.foreignBytes
  const place = { address: context.mainArena, isMain: true, top, heaps: main.heaps }
  const before = segmentsOf(place, layout).reduce((sum, { first }) => sum + first, 0)
  if (held !== systemBytes) {
    const what = `the main heap has ${held} bytes from sbrk_base to top, system_mem says ${systemBytes}`
    anomalies.push({ at: context.mainArena, code: 'system-bytes-differ', what })
    if (held > systemBytes) return { heaps: main.heaps, walked: null, stopped: false }
  }
  const overheadBytes = main.tally.fenceBytes + before + main.foreignBytes + (systemBytes - held)
  return { heaps: main.heaps, walked: { tally: main.tally, overheadBytes }, stopped: false }
}

// The walk found damage, but no memory of malloc's lies outside the two ends.
function brkArea(sbrkBase: bigint, top: Address, topBytes: number): Heap {
  const sizeBytes = Number(top - sbrkBase) + topBytes
  return { address: address(sbrkBase), sizeBytes, committedBytes: sizeBytes, reservedBytes: sizeBytes }
}

function measureChained(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  tally: Tally,
  anomalies: Anomaly[],
): Extent {
  const { memory, layout } = context
  const chain = readHeapChain(memory, at, header.top, layout, context.hugePageBytes)
  const { heaps } = chain
  if (chain.damage) {
    anomalies.push(chain.damage)
    return { heaps, walked: null, stopped: false }
  }
  const sum = heaps.reduce((total, heap) => total + heap.sizeBytes, 0)
  if (sum !== header.systemBytes) {
    const what = `arena ${hex(at)}: its heaps hold ${sum} bytes, system_mem says ${header.systemBytes}`
    anomalies.push({ at, code: 'system-bytes-differ', what })
    return { heaps, walked: null, stopped: false }
  }
  let before = 0
  for (const segment of segmentsOf({ address: at, isMain: false, top: header.top, heaps }, layout)) {
    const walk = walkSegment(memory.source, segment, layout.wordBytes, layout.chunkAlign, { tally })
    before += segment.first
    if (walk.ended !== 'top' && walk.ended !== 'fencepost') return { heaps, walked: null, stopped: true }
  }
  return { heaps, walked: { tally, overheadBytes: tally.fenceBytes + before }, stopped: false }
}

// chunksize(top); 0 while top still points into malloc_state itself (initial_top) or nowhere.
function sizeOfTop(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  anomalies: Anomaly[],
): number | null {
  const { layout, memory } = context
  const { top } = header
  if (top === 0n || (top >= at && top < at + BigInt(layout.arena.sizeBytes))) return 0
  const size = memory.word(top + BigInt(layout.wordBytes), layout.wordBytes)
  const bytes = size === null ? null : Number(size & ~7n)
  if (bytes !== null && bytes <= header.systemBytes) return bytes
  const found = size === null ? 'cannot be read' : `has size ${hex(size)}`
  anomalies.push({ at: top, code: 'top-broken', what: `top ${hex(top)} of arena ${hex(at)} ${found}` })
  return null
}
