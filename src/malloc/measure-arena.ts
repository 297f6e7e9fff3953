// One arena's header, heaps and chunks. On a live target it is read again while it moves.
import { type Address, address, hex } from '../memory/address.js'
import { MemoryFault } from '../memory/memory-fault.js'
import type { PageCache } from '../memory/page-cache.js'
import type { AnonymousStretch } from './anonymous-memory.js'
import { type ArenaHeader, NONCONTIGUOUS, readArenaHeader } from './arena-header.js'
import { type ListSum, walkBins, walkFastbins } from './bins.js'
import { readHeapChain } from './heap-chain.js'
import type { Anomaly, Heap } from './heap-model.js'
import type { GlibcLayout } from './layout.js'
import { walkMainHeap } from './main-heap.js'
import { segmentsOf } from './segments.js'
import { Tally } from './tally.js'
import { walkSegment } from './walk.js'

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
  /** Times an arena that changed under the read is read again. 0 on a core. */
  readonly retries: number
}

/** Every chunk of an arena, seen from the first to top. */
export interface WalkedArena {
  readonly tally: Tally
  /** heap_info, malloc_state, alignment, fenceposts, foreign memory between pieces of the main heap. */
  readonly overheadBytes: number
}

/** An arena as it was found; null parts could not be read or followed. */
export interface MeasuredArena {
  readonly address: Address
  readonly isMain: boolean
  readonly header: ArenaHeader | null
  readonly heaps: readonly Heap[]
  readonly topBytes: number | null
  readonly fast: ListSum | null
  /** By the lists, where the walk could not be done whole. */
  readonly binned: ListSum | null
  readonly walked: WalkedArena | null
  readonly anomalies: readonly Anomaly[]
}

/** Measures the arena at `at`; damage and missing memory become anomalies, never exceptions. */
export function measureArena(context: ArenaContext, at: Address): MeasuredArena {
  const { memory, layout, retries } = context
  const isMain = at === context.mainArena
  for (let attempt = 0; ; attempt++) {
    memory.clear()
    try {
      const before = readArenaHeader(memory.source, at, layout.arena, layout.wordBytes)
      const measured = measureOnce(context, before, at, isMain)
      if (retries === 0) return measured
      const after = readArenaHeader(memory.source, at, layout.arena, layout.wordBytes)
      if (sameState(before.bytes, after.bytes)) return measured
      if (attempt >= retries) return moving(measured, at, attempt + 1)
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error
      const what = `arena ${hex(at)}: ${error.message}`
      const anomalies = [{ at: error.address, code: 'arena-unreadable', what }]
      const nothing = { header: null, heaps: [], topBytes: null, fast: null, binned: null, walked: null }
      return { address: at, isMain, ...nothing, anomalies }
    }
  }
}

// The mutex (first int) comes and goes on a busy arena without any change to its chunks.
function sameState(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 4; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

function moving(measured: MeasuredArena, at: Address, times: number): MeasuredArena {
  const what = `arena ${hex(at)} changed during each of ${times} reads: its figures are of slightly different moments`
  return { ...measured, anomalies: [...measured.anomalies, { at, code: 'arena-moving', what }] }
}

function measureOnce(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  isMain: boolean,
): MeasuredArena {
  const { layout, memory } = context
  const anomalies: Anomaly[] = []
  const fast = walkFastbins(memory, at, layout, header.systemBytes)
  const topBytes = sizeOfTop(context, header, at, anomalies)
  const { heaps, walked } = isMain
    ? measureMain(context, header, topBytes, anomalies)
    : measureChained(context, header, at, anomalies)
  const binned = walked ? null : walkBins(memory, at, layout, header.systemBytes)
  for (const damage of [fast.damage, binned?.damage]) if (damage) anomalies.push(damage)
  return { address: at, isMain, header, heaps, topBytes, fast, binned, walked, anomalies }
}

interface Extent {
  readonly heaps: readonly Heap[]
  readonly walked: WalkedArena | null
}

function measureMain(
  context: ArenaContext,
  header: ArenaHeader,
  topBytes: number | null,
  anomalies: Anomaly[],
): Extent {
  const { sbrkBase, layout, watched, memory } = context
  const { systemBytes, top } = header
  if (systemBytes === 0) return { heaps: [], walked: { tally: new Tally(), overheadBytes: 0 } }
  const isContiguous = (header.flags & NONCONTIGUOUS) === 0
  if (topBytes === null || sbrkBase === null || (isContiguous && !(top >= sbrkBase))) {
    const what = 'where the main heap begins is unknown: its chunks are told by their lists only'
    anomalies.push({ at: context.mainArena, code: 'main-heap-unknown', what })
    return { heaps: [], walked: null }
  }
  const extent = { top, topBytes, systemBytes, sbrkBase, isContiguous }
  const main = walkMainHeap(memory.source, extent, layout, watched, context.mainStretches)
  if ('ended' in main) {
    const what = isContiguous
      ? `chunk ${hex(main.at)} of the main heap: ${main.ended === 'unreadable' ? 'it cannot be read' : 'its size is impossible'}`
      : 'the main heap is in several pieces, of which not all were found'
    anomalies.push({ at: main.at, code: 'walk-stopped', what })
    return { heaps: isContiguous ? [wholeBrk(sbrkBase, systemBytes)] : [], walked: null }
  }
  const held = main.heaps.reduce((sum, heap) => sum + heap.sizeBytes, 0) + main.foreignBytes
  const place = { address: context.mainArena, isMain: true, top, heaps: main.heaps }
  const before = segmentsOf(place, layout).reduce((sum, { first }) => sum + first, 0)
  if (held !== systemBytes) {
    const what = `the main heap has ${held} bytes from sbrk_base to top, system_mem says ${systemBytes}`
    anomalies.push({ at: context.mainArena, code: 'system-bytes-differ', what })
  }
  const overheadBytes = main.tally.fenceBytes + before + main.foreignBytes + (systemBytes - held)
  return { heaps: main.heaps, walked: { tally: main.tally, overheadBytes } }
}

// As far as its header goes: the walk found damage, but no other memory lies between the two ends.
function wholeBrk(sbrkBase: bigint, sizeBytes: number): Heap {
  return { address: address(sbrkBase), sizeBytes, committedBytes: sizeBytes, reservedBytes: sizeBytes }
}

function measureChained(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  anomalies: Anomaly[],
): Extent {
  const { memory, layout } = context
  const chain = readHeapChain(memory, at, header.top, layout)
  const { heaps } = chain
  if (chain.damage) {
    anomalies.push(chain.damage)
    return { heaps, walked: null }
  }
  const sum = heaps.reduce((total, heap) => total + heap.sizeBytes, 0)
  if (sum !== header.systemBytes) {
    const what = `arena ${hex(at)}: its heaps hold ${sum} bytes, system_mem says ${header.systemBytes}`
    anomalies.push({ at, code: 'system-bytes-differ', what })
    return { heaps, walked: null }
  }
  const tally = new Tally(context.watched)
  let before = 0
  for (const segment of segmentsOf({ address: at, isMain: false, top: header.top, heaps }, layout)) {
    const walk = walkSegment(memory.source, segment, layout.wordBytes, layout.chunkAlign, { tally })
    before += segment.first
    if (walk.ended === 'top' || walk.ended === 'fencepost') continue
    const place = address(segment.origin + BigInt(walk.stoppedAt))
    const why = walk.ended === 'size' ? 'its size is impossible' : 'it cannot be read'
    anomalies.push({
      at: place,
      code: 'walk-stopped',
      what: `chunk ${hex(place)} of arena ${hex(at)}: ${why}`,
    })
    return { heaps, walked: null }
  }
  return { heaps, walked: { tally, overheadBytes: tally.fenceBytes + before } }
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
