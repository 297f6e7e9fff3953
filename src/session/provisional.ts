// What can be said of a target before its heaps are read: the address space, and the arenas by their headers.
import type { ArenaGlimpse } from '../malloc/read-heap-model.js'
import { categorize } from '../maps/categorize.js'
import { hex } from '../memory/address.js'
import { buildReport } from '../report/build-report.js'
import type { ReportArena, ReportHeapModel } from '../report/report.js'
import type { Target } from '../target/target.js'
import type { Measurement } from './measure.js'

/** The problem that says that a report is provisional. */
export const STILL_READING = 'the heaps are still being read'

/** A measurement in which all that takes a walk is unknown; no rule was asked about it. */
export function provisional(target: Target, glimpses: readonly ArenaGlimpse[]): Measurement {
  const { pieces, sums } = categorize({
    regions: target.regions(),
    threads: target.threads(),
    claims: [],
    programPath: target.executable,
  })
  const report = buildReport({
    kind: target.kind,
    label: target.label,
    pid: target.pid,
    executable: target.executable,
    threads: target.threads().length,
    heap: null,
    otherAllocator: null,
    categories: sums,
    ledger: null,
    surroundings: null,
    mappings: target.regions().length,
    executableHeaps: [],
    anonymous: [],
    problems: [...target.problems, STILL_READING],
    targetComplete: false,
  })
  const heap = glimpses.length === 0 ? null : heapOf(glimpses)
  return { malloc: null, pieces, report: { ...report, heap, findings: [] } }
}

function heapOf(glimpses: readonly ArenaGlimpse[]): ReportHeapModel {
  return {
    arenas: glimpses.map(arenaOf),
    mmapped: { count: null, bytes: null },
    totals: {
      systemBytes: null,
      inUseBytes: null,
      freeBytes: null,
      fastbinBytes: null,
      binnedBytes: null,
      topBytes: null,
      liveBytes: null,
      usedChunks: null,
      tcacheBytes: null,
      tcacheChunks: null,
      overheadBytes: null,
      largestFreeBytes: null,
      trimReturnsBytes: null,
    },
    parameters: null,
    sizeClasses: null,
    threads: [],
    anomalies: [],
  }
}

function arenaOf({ index, address, systemBytes, attachedThreads }: ArenaGlimpse): ReportArena {
  return {
    index,
    address: hex(address),
    isMain: index === 0,
    heaps: [],
    systemBytes,
    inUseBytes: null,
    freeBytes: null,
    fastbinBytes: null,
    binnedBytes: null,
    topBytes: null,
    freeChunks: null,
    attachedThreads,
    liveBytes: null,
    usedChunks: null,
    tcacheBytes: null,
    tcacheChunks: null,
    overheadBytes: null,
    largestFreeBytes: null,
    reservedBytes: 0,
    committedBytes: 0,
    resident: null,
    trimReturnsBytes: null,
    moving: null,
    skippedBytes: null,
    sizeClasses: null,
    complete: true,
  }
}
