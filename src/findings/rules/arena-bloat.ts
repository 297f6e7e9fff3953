// Many arenas that use little of what they hold: threads multiplied malloc's reserves.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import { ESTIMATE_TEXT, estimateArenas } from '../arena-estimate.js'
import { limitText, recommendedArenas, usableCpus } from '../arena-limit.js'
import type { Facts } from '../facts.js'
import type { Estimate, Finding } from '../finding.js'
import { fixesFor, trimNow } from '../fixes.js'
import { defineRule, type Rule } from '../rule.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  leastArenas: { value: 8, unit: 'count', meaning: 'fewer arenas are what any threaded program has' },
  lowUsePercent: {
    value: 50,
    unit: 'percent',
    meaning: "told when less of the arenas' system bytes is in use",
  },
  criticalUsePercent: {
    value: 25,
    unit: 'percent',
    meaning: 'critical when less is in use, and criticalFreeBytes are free',
  },
  leastFreeBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less free memory is not worth a restart' },
  criticalFreeBytes: {
    value: 1 << 30,
    unit: 'bytes',
    meaning: 'critical from here on, when less than criticalUsePercent is in use',
  },
} as const satisfies Thresholds

export const arenaBloat: Rule = defineRule({
  name: 'arena-bloat',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: 'how much of what all arenas hold is in use, where there are many arenas',
    how: 'system bytes (malloc_state.system_mem) of every arena against bytes in use as malloc_stats counts them: all but bins, fastbins and top',
    thresholds: [
      `${limits.leastArenas} arenas or more, less than ${limits.lowUsePercent} % in use, and ${bytesText(limits.leastFreeBytes)} or more free`,
      `critical below ${limits.criticalUsePercent} % with ${bytesText(limits.criticalFreeBytes)} or more free`,
      'MALLOC_ARENA_MAX: one for each CPU that the process can use (quota, CPU set, online CPUs: the least), 2 at least, a quarter of the arenas of today at most',
    ],
    estimate: ESTIMATE_TEXT,
    read: [
      'mallopt(3): M_ARENA_MAX, M_ARENA_TEST',
      'glibc manual: "Memory Allocation Tunables", glibc.malloc.arena_max',
      'malloc_trim(3)',
      'malloc_info(3)',
    ],
  }),
})

function check(facts: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const { heap, threads } = facts
  if (!heap) return null
  const count = heap.arenas.length
  const { systemBytes, inUseBytes, freeBytes } = heap.totals
  if (systemBytes === null || inUseBytes === null || freeBytes === null) return null
  if (count < limits.leastArenas || systemBytes === 0 || freeBytes < limits.leastFreeBytes) return null
  const usePercent = (100 * inUseBytes) / systemBytes
  if (usePercent >= limits.lowUsePercent) return null
  const critical = usePercent < limits.criticalUsePercent && freeBytes >= limits.criticalFreeBytes
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
