// One arena's figures: header, heaps, free bytes. On a live target it is read again while it moves.
import { type Address, address, hex } from '../memory/address.js'
import { MemoryFault } from '../memory/memory-fault.js'
import type { PageCache } from '../memory/page-cache.js'
import { type ArenaHeader, NONCONTIGUOUS, readArenaHeader } from './arena-header.js'
import { type ListSum, walkBins, walkFastbins } from './bins.js'
import { readHeapChain } from './heap-chain.js'
import type { Anomaly, Arena, Heap } from './heap-model.js'
import type { GlibcLayout } from './layout.js'
import { segmentsOf } from './segments.js'
import { walkSegment } from './walk.js'

/** What is common to all arenas of a target. */
export interface ArenaContext {
  readonly memory: PageCache
  readonly layout: GlibcLayout
  readonly mainArena: Address
  /** mp_.sbrk_base, null when unknown; 0 before the first sbrk. */
  readonly sbrkBase: bigint | null
  /** Times an arena that changed under the read is read again. 0 on a core. */
  readonly retries: number
}

export interface MeasuredArena {
  readonly arena: Arena
  readonly anomalies: readonly Anomaly[]
}

const NOTHING = {
  heaps: [],
  systemBytes: null,
  maxSystemBytes: null,
  inUseBytes: null,
  freeBytes: null,
  fastbinBytes: null,
  binnedBytes: null,
  topBytes: null,
  top: null,
  freeChunks: null,
  attachedThreads: null,
  complete: false,
}

/** Measures the arena at `at`; damage and missing memory become anomalies, never exceptions. */
export function measureArena(context: ArenaContext, at: Address, index: number): MeasuredArena {
  const isMain = at === context.mainArena
  const { layout } = context
  for (let attempt = 0; ; attempt++) {
    context.memory.clear()
    try {
      const before = readArenaHeader(context.memory.source, at, layout.arena, layout.wordBytes)
      const measured = measureOnce(context, before, at, index, isMain)
      if (context.retries === 0) return measured
      const after = readArenaHeader(context.memory.source, at, layout.arena, layout.wordBytes)
      if (sameState(before.bytes, after.bytes)) return measured
      if (attempt >= context.retries) return moving(measured, at, attempt + 1)
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error
      return {
        arena: { index, address: at, isMain, ...NOTHING },
        anomalies: [
          { at: error.address, code: 'arena-unreadable', what: `arena ${hex(at)}: ${error.message}` },
        ],
      }
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
  return {
    arena: { ...measured.arena, complete: false },
    anomalies: [...measured.anomalies, { at, code: 'arena-moving', what }],
  }
}

function measureOnce(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  index: number,
  isMain: boolean,
): MeasuredArena {
  const { layout, memory } = context
  const anomalies: Anomaly[] = []
  const heaps = isMain ? mainHeaps(context, header) : chainedHeaps(context, header, at, anomalies)
  const fast = walkFastbins(memory, at, layout, header.systemBytes)
  const topBytes = sizeOfTop(context, header, at, anomalies)
  const binned = binnedOf(context, header, at, isMain, heaps, anomalies)
  for (const damage of [fast.damage, binned?.damage]) if (damage) anomalies.push(damage)
  const free =
    topBytes === null || binned === null || fast.damage || binned.damage
      ? null
      : fast.bytes + binned.bytes + topBytes
  const excess = free !== null && free > header.systemBytes
  const sound = free !== null && !excess
  if (excess) {
    const what = `arena ${hex(at)}: ${free} free bytes are more than its ${header.systemBytes} system bytes`
    anomalies.push({ at, code: 'free-exceeds-system', what })
  }
  return {
    arena: {
      index,
      address: at,
      isMain,
      heaps,
      systemBytes: header.systemBytes,
      maxSystemBytes: header.maxSystemBytes,
      inUseBytes: sound ? header.systemBytes - free : null,
      freeBytes: sound ? free : null,
      fastbinBytes: fast.damage || excess ? null : fast.bytes,
      binnedBytes: binned === null || binned.damage || excess ? null : binned.bytes,
      topBytes: excess ? null : topBytes,
      top: header.top,
      freeChunks:
        fast.damage || binned === null || binned.damage || excess ? null : fast.chunks + binned.chunks,
      attachedThreads: header.attachedThreads,
      complete: sound && anomalies.length === 0,
    },
    anomalies,
  }
}

// main_arena's brk area; empty where it is not one run (its segments carry no header that would lead to them).
function mainHeaps(context: ArenaContext, header: ArenaHeader): readonly Heap[] {
  const base = context.sbrkBase
  if (base === null || base === 0n || header.systemBytes === 0) return []
  if ((header.flags & NONCONTIGUOUS) !== 0) return []
  const sizeBytes = header.systemBytes
  return [{ address: address(base), sizeBytes, committedBytes: sizeBytes, reservedBytes: sizeBytes }]
}

function chainedHeaps(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  anomalies: Anomaly[],
): readonly Heap[] {
  const chain = readHeapChain(context.memory, at, header.top, context.layout)
  if (chain.damage) anomalies.push(chain.damage)
  else {
    const sum = chain.heaps.reduce((total, heap) => total + heap.sizeBytes, 0)
    if (sum !== header.systemBytes) {
      const what = `arena ${hex(at)}: its heaps hold ${sum} bytes, system_mem says ${header.systemBytes}`
      anomalies.push({ at, code: 'system-bytes-differ', what })
    }
  }
  return chain.heaps
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

// Binned chunks by the linear walk, which reads in bulk; by the lists where the arena is not one known run.
function binnedOf(
  context: ArenaContext,
  header: ArenaHeader,
  at: Address,
  isMain: boolean,
  heaps: readonly Heap[],
  anomalies: Anomaly[],
): ListSum | null {
  const { layout, memory } = context
  if (header.systemBytes === 0) return { chunks: 0, bytes: 0, damage: null }
  const known = heaps.reduce((total, heap) => total + heap.sizeBytes, 0)
  if (known === header.systemBytes) {
    let chunks = 0
    let bytes = 0
    let stopped: Anomaly | null = null
    for (const segment of segmentsOf({ address: at, isMain, top: header.top, heaps }, layout)) {
      const walk = walkSegment(memory.source, segment, layout.wordBytes, layout.chunkAlign)
      chunks += walk.freeChunks
      bytes += walk.freeBytes
      if (walk.ended === 'size' || walk.ended === 'unreadable') {
        const place = address(segment.origin + BigInt(walk.stoppedAt))
        const why = walk.ended === 'size' ? 'its size is impossible' : 'it cannot be read'
        stopped = { at: place, code: 'walk-stopped', what: `chunk ${hex(place)} of arena ${hex(at)}: ${why}` }
        break
      }
    }
    if (!stopped) return { chunks, bytes, damage: null }
    // A foreign sbrk leaves a hole in main's run, which is no damage; in other arenas a stop is.
    if (!isMain) anomalies.push(stopped)
  }
  return walkBins(memory, at, layout, header.systemBytes)
}
