// Free chunks that threads keep for themselves, out of reach for everybody else.
import { bytesText, percentText } from '../../format/sizes.js'
import { minorVersion } from '../../malloc/layout.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { fixesFor } from '../fixes.js'
import { defineRule, gradeBytes, type Rule } from '../rule.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

/** Chunks of each size that a thread should keep instead of 7 (16 from glibc 2.43 on). */
const RECOMMENDED_COUNT = 1

const THRESHOLDS = {
  leastBytes: { value: 32 << 20, unit: 'bytes', meaning: 'less in all tcaches is not told' },
  criticalBytes: { value: 1 << 30, unit: 'bytes', meaning: 'critical from here on' },
  leastSharePercent: {
    value: 25,
    unit: 'percent',
    meaning: 'share of the bytes that malloc counts as in use, from which on it is told',
  },
} as const satisfies Thresholds

export const tcacheHoarding: Rule = defineRule({
  name: 'tcache-hoarding',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      "free chunks in threads' caches (tcache), which malloc_stats counts as in use and malloc_trim does not reach",
    how: "every thread's tcache is found in its thread-local memory and its lists are followed",
    thresholds: [
      `${bytesText(limits.leastBytes)} or more in all tcaches, and ${limits.leastSharePercent} % of the bytes in use`,
      `critical from ${bytesText(limits.criticalBytes)} on`,
    ],
    read: [
      'glibc manual: "Memory Allocation Tunables", glibc.malloc.tcache_count and glibc.malloc.tcache_max',
    ],
  }),
})

function check(facts: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const { heap } = facts
  if (!heap) return null
  const { tcacheBytes, tcacheChunks, inUseBytes } = heap.totals
  if (tcacheBytes === null || !inUseBytes || tcacheBytes < limits.leastBytes) return null
  const sharePercent = (100 * tcacheBytes) / inUseBytes
  if (sharePercent < limits.leastSharePercent) return null
  const caches = heap.caches.filter(({ bins }) => bins.length > 0)
  const largest = Math.max(0, ...caches.map(({ bins }) => bins.reduce((sum, { bytes }) => sum + bytes, 0)))
  const minor = minorVersion(heap.glibc.version)
  const usual = minor !== null && minor >= 43 ? 16 : 7
  return {
    rule: tcacheHoarding.name,
    severity: gradeBytes(tcacheBytes, limits.criticalBytes),
    title: `${caches.length} threads keep ${bytesText(tcacheBytes)} of free chunks in their caches: ${percentText(sharePercent)} of what malloc counts as in use`,
    evidence: [
      { label: 'tcaches that hold chunks', value: caches.length, unit: 'count' },
      { label: 'chunks in them', value: tcacheChunks, unit: 'count' },
      { label: 'bytes in them', value: tcacheBytes, unit: 'bytes' },
      { label: 'of the bytes in use', value: Number(sharePercent.toFixed(1)), unit: 'percent' },
      { label: 'the largest', value: largest, unit: 'bytes' },
    ],
    nextStep: `start it with GLIBC_TUNABLES=glibc.malloc.tcache_count=${RECOMMENDED_COUNT}, or let fewer threads do the work`,
    fixes: fixesFor(
      'tcacheCount',
      RECOMMENDED_COUNT,
      facts,
      `${RECOMMENDED_COUNT} chunk of each size in each thread instead of ${usual}: at most ${bytesText(Math.ceil(tcacheBytes / usual))} of these bytes where the default was in force; malloc takes its lock more often`,
    ),
    why: 'each thread keeps freed chunks of up to 1032 bytes for itself, by size; no other thread can use them and malloc_trim does not reach them',
  }
}
