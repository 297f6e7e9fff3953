// What malloc would hold after a restart with fewer arenas.
import type { Arena, HeapModel } from '../malloc/heap-model.js'
import type { Estimate } from './finding.js'
import { sumOf } from './sums.js'

/** Bursts that one arena may have to serve at once: its threads are not told apart by what the CPUs run. */
const BURSTS_AT_ONCE = 2

/** How the estimate is made, for `--explain`. */
export const ESTIMATE_TEXT = [
  'What is live stays, with tcaches and overhead. What is not live was needed in bursts: the free memory that an arena keeps today',
  'is what one burst left behind, and the most that it ever held tells how large its greediest burst was.',
  'Low: what stays, and in each arena but one (main_arena, whose end free() gives back by itself) the free memory that',
  "today's average arena keeps.",
  `High: what stays, and in each arena ${BURSTS_AT_ONCE} of the greediest bursts that any arena ever had at once.`,
  'Assumption: no more threads are in a burst at the same time than arenas are left, as when each burst ends before its thread',
  'waits. Where all threads burst together, fewer arenas serve the same peak: nothing can be gained then, and the sum of the',
  'most that each arena ever held is the bound.',
].join(' ')

/** System bytes of all arenas with M_ARENA_MAX=`arenas`; null where figures are missing. */
export function estimateArenas(heap: HeapModel, arenas: number): Estimate | null {
  const { systemBytes, freeBytes } = heap.totals
  const mostBytes = sumOf(heap.arenas, ({ maxSystemBytes }) => maxSystemBytes)
  if (systemBytes === null || freeBytes === null || mostBytes === null) return null
  const stays = systemBytes - freeBytes
  const average = freeBytes / heap.arenas.length
  const greediest = Math.max(...heap.arenas.map(burstBytes))
  const highBytes = Math.min(mostBytes, stays + arenas * BURSTS_AT_ONCE * greediest)
  return {
    what: 'system bytes of all arenas',
    nowBytes: systemBytes,
    lowBytes: Math.round(Math.min(highBytes, stays + (arenas - 1) * average)),
    highBytes: Math.round(highBytes),
    mostBytes,
    assumption: `what is live stays; no more than ${arenas} threads are in a burst of allocations at once`,
  }
}

function burstBytes({ maxSystemBytes, inUseBytes }: Arena): number {
  return Math.max(0, (maxSystemBytes ?? 0) - (inUseBytes ?? 0))
}
