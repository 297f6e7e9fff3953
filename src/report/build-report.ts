// The Report from what was measured.

import type { Facts } from '../findings/facts.js'
import { findingsOf } from '../findings/rules.js'
import { SizeHistogram } from '../malloc/chunks/size-classes.js'
import type { Arena, HeapModel } from '../malloc/heap-model.js'
import type { ThreadMalloc } from '../malloc/threads/thread-cache.js'
import { hex } from '../memory/address.js'
import {
  type Report,
  type ReportArena,
  type ReportHeapModel,
  type ReportStop,
  type ReportThread,
  SCHEMA,
} from './report.js'
import { sizeClasses } from './size-classes.js'

/** All that a report is made of. */
export interface Measured extends Facts {
  readonly label: string
  readonly executable: string | null
  /** What is missing, in sentences: of the target, of its symbols, of malloc. */
  readonly problems: readonly string[]
  /** False when the target itself is cut or partly unreadable. */
  readonly targetComplete: boolean
  /** Absent: it was read while it ran. */
  readonly stop?: ReportStop
}

/** The versioned document of one measurement. */
export function buildReport(measured: Measured): Report {
  const { kind, label, pid, executable, threads, heap, categories } = measured
  return {
    schema: SCHEMA,
    complete: measured.targetComplete && heap !== null && isComplete(heap),
    problems: measured.problems,
    target: {
      kind,
      label,
      pid,
      executable,
      threads,
      stop: measured.stop ?? null,
      glibc: heap && {
        version: heap.glibc.version,
        layoutFrom: heap.glibc.layoutFrom,
        confirmedArenas: heap.arenas.filter(({ complete }) => complete).length,
      },
    },
    heap: heap && heapOf(heap),
    maps: { categories },
    ledger: measured.ledger,
    findings: findingsOf(measured),
    ...(measured.rules ? { rules: measured.rules } : {}),
  }
}

function isComplete(heap: HeapModel): boolean {
  return heap.ringClosed && heap.anomalies.length === 0 && heap.mmapped.bytes !== null
}

function heapOf(heap: HeapModel): ReportHeapModel {
  return {
    arenas: heap.arenas.map(arenaOf),
    mmapped: { count: heap.mmapped.count, bytes: heap.mmapped.bytes },
    totals: heap.totals,
    parameters: heap.parameters,
    sizeClasses: allSizes(heap.arenas),
    threads: [...heap.threads].sort((a, b) => a.tid - b.tid).map((thread) => threadOf(thread, heap.arenas)),
    anomalies: heap.anomalies.map(({ at, code, what }) => ({ at: hex(at), code, what })),
  }
}

function allSizes(arenas: readonly Arena[]): ReportHeapModel['sizeClasses'] {
  const live = new SizeHistogram()
  const free = new SizeHistogram()
  for (const { sizes } of arenas) {
    if (!sizes) return null
    live.addAll(sizes.live)
    free.addAll(sizes.free)
  }
  return sizeClasses({ live, free }, 'fine')
}

function threadOf(thread: ThreadMalloc, arenas: readonly Arena[]): ReportThread {
  const { tid, name, cache } = thread
  const arena = arenas.find(({ address }) => address === thread.arena)?.index ?? null
  const bytes = cache?.bins.reduce((sum, bin) => sum + bin.bytes, 0) ?? 0
  return {
    tid,
    name,
    arena,
    tcache: cache && { address: hex(cache.address), chunks: cache.chunks.length, bytes },
  }
}

function arenaOf(arena: Arena): ReportArena {
  return {
    index: arena.index,
    address: hex(arena.address),
    isMain: arena.isMain,
    heaps: arena.heaps.map((heap) => ({ address: hex(heap.address), sizeBytes: heap.sizeBytes })),
    systemBytes: arena.systemBytes,
    inUseBytes: arena.inUseBytes,
    freeBytes: arena.freeBytes,
    fastbinBytes: arena.fastbinBytes,
    binnedBytes: arena.binnedBytes,
    topBytes: arena.topBytes,
    freeChunks: arena.freeChunks,
    attachedThreads: arena.attachedThreads,
    liveBytes: arena.liveBytes,
    usedChunks: arena.usedChunks,
    tcacheBytes: arena.tcacheBytes,
    tcacheChunks: arena.tcacheChunks,
    overheadBytes: arena.overheadBytes,
    largestFreeBytes: arena.largestFreeBytes,
    reservedBytes: arena.heaps.reduce((sum, heap) => sum + heap.reservedBytes, 0),
    committedBytes: arena.heaps.reduce((sum, heap) => sum + heap.committedBytes, 0),
    resident: arena.resident,
    trimReturnsBytes: arena.trimReturnsBytes,
    moving: arena.moving ?? null,
    skippedBytes: arena.skippedBytes === undefined ? 0 : arena.skippedBytes,
    sizeClasses: arena.sizes && sizeClasses(arena.sizes, 'powers of two'),
    complete: arena.complete,
  }
}
