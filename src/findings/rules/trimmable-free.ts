// Whole free pages that malloc keeps although it could give them back.
import { bytesText, percentText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { trimNow } from '../fixes.js'
import { defineRule, gradeBytes, isToldBy, type Rule } from '../rule.js'
import { residentBytes, residentOf } from '../sums.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  leastBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less than this is not told' },
  criticalBytes: { value: 1 << 30, unit: 'bytes', meaning: 'critical from here on' },
  leastSharePercent: {
    value: 25,
    unit: 'percent',
    meaning: "share of the arenas' resident bytes, from which on it is told",
  },
} as const satisfies Thresholds

export const trimmableFree: Rule = defineRule({
  name: 'trimmable-free',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: 'whole free pages in RAM inside free chunks, which malloc keeps for later',
    how: 'resident whole pages inside the chunks of bins of all arenas; malloc_trim(0) returns them by MADV_DONTNEED, free() never does',
    thresholds: [
      `${bytesText(limits.leastBytes)} or more, and ${limits.leastSharePercent} % of what is resident of the arenas`,
      `critical from ${bytesText(limits.criticalBytes)} on; for information only where arena-bloat or idle-arenas tell of it`,
    ],
    read: ['malloc_trim(3)', 'madvise(2): MADV_DONTNEED'],
  }),
})

function check(
  facts: Facts,
  earlier: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const { heap } = facts
  if (!heap) return null
  const bytes = residentOf(heap.arenas, 'trimmableBytes')
  const resident = residentBytes(heap.arenas)
  if (bytes === null || resident === null || bytes < limits.leastBytes) return null
  const sharePercent = (100 * bytes) / resident
  if (sharePercent < limits.leastSharePercent) return null
  return {
    rule: trimmableFree.name,
    severity: gradeBytes(bytes, limits.criticalBytes, isToldBy(earlier, 'arena-bloat', 'idle-arenas')),
    title: `${bytesText(bytes)} of whole free pages stay in RAM: ${percentText(sharePercent)} of the arenas' pages could be returned`,
    evidence: [
      { label: 'whole free pages inside free chunks', value: bytes, unit: 'bytes' },
      { label: 'of what is resident of the arenas', value: Number(sharePercent.toFixed(1)), unit: 'percent' },
      { label: 'malloc_trim(0) would return', value: heap.totals.trimReturnsBytes, unit: 'bytes' },
      { label: 'largest free chunk', value: heap.totals.largestFreeBytes, unit: 'bytes' },
    ],
    nextStep:
      'call malloc_trim(0) after the work that frees much; they come back when memory is asked for again',
    fixes: [
      ...trimNow(facts),
      {
        how: 'mallopt',
        text: 'malloc_trim(0)',
        restart: true,
        note: 'a call in the program, after phases that free much',
      },
    ],
    why: 'free() returns only the end of an arena: what is live behind free chunks keeps them',
  }
}
