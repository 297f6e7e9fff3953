// Many arenas that use little of what they hold: threads multiplied malloc's reserves.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import { ESTIMATE_TEXT, estimateArenas } from '../arena-estimate.js'
import { limitText, recommendedArenas, usableCpus } from '../arena-limit.js'
import type { Facts } from '../facts.js'
import type { Estimate, Finding } from '../finding.js'
import { fixesFor, trimNow } from '../fixes.js'
import type { Rule } from '../rule.js'

/** Fewer arenas than this are what any threaded program has. */
const LEAST_ARENAS = 8
/** Share of the arenas' system bytes in use, below which the rest is bloat. */
const LOW_USE_PERCENT = 50
const CRITICAL_USE_PERCENT = 25
/** Less free memory than this is not worth a restart. */
const LEAST_FREE_BYTES = 64 << 20
const CRITICAL_FREE_BYTES = 1 << 30

export const arenaBloat: Rule = {
  name: 'arena-bloat',
  check,
  explanation: {
    measures: 'how much of what all arenas hold is in use, where there are many arenas',
    how: 'system bytes (malloc_state.system_mem) of every arena against bytes in use as malloc_stats counts them: all but bins, fastbins and top',
    thresholds: [
      `${LEAST_ARENAS} arenas or more, less than ${LOW_USE_PERCENT} % in use, and ${bytesText(LEAST_FREE_BYTES)} or more free`,
      `critical below ${CRITICAL_USE_PERCENT} % with ${bytesText(CRITICAL_FREE_BYTES)} or more free`,
      'MALLOC_ARENA_MAX: one for each CPU that the process can use (quota, CPU set, online CPUs: the least), 2 at least, a quarter of the arenas of today at most',
    ],
    estimate: ESTIMATE_TEXT,
    read: [
      'mallopt(3): M_ARENA_MAX, M_ARENA_TEST',
      'glibc manual: "Memory Allocation Tunables", glibc.malloc.arena_max',
      'malloc_trim(3)',
      'malloc_info(3)',
    ],
  },
}

function check(facts: Facts): Finding | null {
  const { heap, threads } = facts
  if (!heap) return null
  const count = heap.arenas.length
  const { systemBytes, inUseBytes, freeBytes } = heap.totals
  if (systemBytes === null || inUseBytes === null || freeBytes === null) return null
  if (count < LEAST_ARENAS || systemBytes === 0 || freeBytes < LEAST_FREE_BYTES) return null
  const usePercent = (100 * inUseBytes) / systemBytes
  if (usePercent >= LOW_USE_PERCENT) return null
  const critical = usePercent < CRITICAL_USE_PERCENT && freeBytes >= CRITICAL_FREE_BYTES
  const idle = heap.arenas.filter((arena) => arena.attachedThreads === 0).length
  const { arenas, because } = recommendedArenas(facts)
  const estimate = estimateArenas(heap, arenas)
  const usable = usableCpus(facts)
  const cpus = usable ? `, ${usable.cpus} ${usable.by}` : ''
  return {
    rule: arenaBloat.name,
    severity: critical ? 'critical' : 'warning',
    title: `${count} arenas hold ${bytesText(systemBytes)} and use ${percentText(usePercent)} of it: ${bytesText(freeBytes)} is free memory that malloc keeps`,
    evidence: [
      { label: 'arenas', value: count, unit: 'count' },
      { label: 'threads', value: threads, unit: 'count' },
      { label: 'arenas without a thread', value: idle, unit: 'count' },
      { label: 'system bytes of all arenas', value: systemBytes, unit: 'bytes' },
      { label: 'in use', value: inUseBytes, unit: 'bytes' },
      { label: 'in use', value: Number(usePercent.toFixed(2)), unit: 'percent' },
      { label: 'free, kept by malloc', value: freeBytes, unit: 'bytes' },
    ],
    nextStep: `set MALLOC_ARENA_MAX=${arenas} in the program's environment and restart it; ${limitText(facts)}, and threads do not share their arenas' free memory`,
    fixes: [...trimNow(facts), ...fixesFor('arenaMax', arenas, facts, noteOf(because, estimate))],
    why: `${countText(threads)} threads${cpus}: ${limitText(facts)}; each thread gets an arena of its own until the limit is reached, and arenas do not share free memory`,
    ...(estimate ? { estimate } : {}),
  }
}

function noteOf(because: string, estimate: Estimate | null): string {
  if (!estimate) return because
  const { nowBytes, lowBytes, highBytes } = estimate
  return `${bytesText(nowBytes)} → about ${bytesText(lowBytes)} to ${bytesText(highBytes)} (how: --explain arena-bloat); ${because}`
}
