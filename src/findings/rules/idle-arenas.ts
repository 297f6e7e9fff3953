// Arenas that no thread uses any more, and what they keep.
import { bytesText } from '../../format/sizes.js'
import { estimateArenas } from '../arena-estimate.js'
import { recommendedArenas } from '../arena-limit.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { fixesFor, trimNow } from '../fixes.js'
import { defineRule, gradeBytes, isToldBy, type Rule } from '../rule.js'
import { nonMain, sumOf } from '../sums.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  leastFreeBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less free memory in idle arenas is not told' },
  criticalFreeBytes: { value: 1 << 30, unit: 'bytes', meaning: 'critical from here on' },
  leastSharePercent: {
    value: 25,
    unit: 'percent',
    meaning: 'share of the system bytes of all arenas, free in idle ones, from which on it is told',
  },
} as const satisfies Thresholds

export const idleArenas: Rule = defineRule({
  name: 'idle-arenas',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: 'free memory in arenas to which no thread is attached',
    how: 'malloc_state.attached_threads (glibc 2.23 on) of every arena but main_arena; arenas are never removed, a thread that starts takes an idle one again',
    thresholds: [
      `${bytesText(limits.leastFreeBytes)} or more free in idle arenas, and ${limits.leastSharePercent} % of what all arenas hold`,
      `critical from ${bytesText(limits.criticalFreeBytes)} on; for information only where arena-bloat tells of it`,
    ],
    read: ['malloc_trim(3)', 'mallopt(3): M_ARENA_MAX', 'malloc/arena.c of glibc: free_list, detach_arena'],
  }),
})

function check(
  facts: Facts,
  earlier: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const { heap } = facts
  if (!heap) return null
  const idle = nonMain(heap).filter(({ attachedThreads }) => attachedThreads === 0)
  const freeBytes = sumOf(idle, (arena) => arena.freeBytes)
  const { systemBytes } = heap.totals
  if (freeBytes === null || systemBytes === null || freeBytes < limits.leastFreeBytes) return null
  if ((100 * freeBytes) / systemBytes < limits.leastSharePercent) return null
  const { arenas, because } = recommendedArenas(facts)
  const estimate = estimateArenas(heap, arenas)
  return {
    rule: idleArenas.name,
    severity: gradeBytes(freeBytes, limits.criticalFreeBytes, isToldBy(earlier, 'arena-bloat')),
    title: `${idle.length} of ${heap.arenas.length} arenas have no thread any more and keep ${bytesText(freeBytes)} of free memory`,
    evidence: [
      { label: 'arenas without a thread', value: idle.length, unit: 'count' },
      { label: 'arenas', value: heap.arenas.length, unit: 'count' },
      { label: 'they hold', value: sumOf(idle, (arena) => arena.systemBytes), unit: 'bytes' },
      { label: 'free in them', value: freeBytes, unit: 'bytes' },
      { label: 'live in them', value: sumOf(idle, (arena) => arena.liveBytes), unit: 'bytes' },
      {
        label: 'malloc_trim(0) would return of them',
        value: sumOf(idle, (arena) => arena.trimReturnsBytes),
        unit: 'bytes',
      },
    ],
    nextStep: `call malloc_trim(0) after threads have ended, or let fewer arenas serve them: MALLOC_ARENA_MAX=${arenas} and a restart`,
    fixes: [...trimNow(facts), ...fixesFor('arenaMax', arenas, facts, because)],
    why: 'an arena outlives its threads: what they freed stays in it until another thread takes it',
    ...(estimate ? { estimate } : {}),
  }
}
