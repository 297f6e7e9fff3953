// malloc_stats adds up in 32 bits: beyond 4 GiB the totals that it prints are wrong.
import { asMallocStatsPrints, MALLOC_STATS_MODULUS } from '../../malloc/malloc-stats.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'

export const mallocStatsOverflow: Rule = defineRule({
  name: 'malloc-stats-overflow',
  thresholds: {},
  check,
  explain: () => ({
    measures: "whether malloc_stats' totals wrap: it adds them up in 32 bits, in every glibc up to 2.44",
    how: 'system bytes of all arenas and mmapped chunks, in 64 bits',
    thresholds: [`told from ${MALLOC_STATS_MODULUS} bytes (4 GiB) on`],
    read: ['malloc_stats(3), BUGS', 'malloc_info(3)', 'mallinfo2(3)'],
  }),
})

function check({ heap }: Facts): Finding | null {
  if (!heap) return null
  const { systemBytes, inUseBytes } = heap.totals
  const mmapped = heap.mmapped.bytes
  if (systemBytes === null || inUseBytes === null || mmapped === null) return null
  const trueSystem = systemBytes + mmapped
  const trueInUse = inUseBytes + mmapped
  if (trueSystem < MALLOC_STATS_MODULUS) return null
  const printed = asMallocStatsPrints(trueSystem)
  return {
    rule: mallocStatsOverflow.name,
    severity: 'info',
    title: `malloc_stats' printed total overflowed 32 bits: it would say ${printed}, the sum is ${trueSystem}`,
    evidence: [
      { label: 'system bytes as malloc_stats prints them', value: printed, unit: 'bytes' },
      { label: 'system bytes, arenas and mmapped chunks', value: trueSystem, unit: 'bytes' },
      {
        label: 'in use bytes as malloc_stats prints them',
        value: asMallocStatsPrints(trueInUse),
        unit: 'bytes',
      },
      { label: 'in use bytes, arenas and mmapped chunks', value: trueInUse, unit: 'bytes' },
      { label: 'times 2^32 lost', value: Math.floor(trueSystem / MALLOC_STATS_MODULUS), unit: 'count' },
    ],
    nextStep:
      'do not rely on malloc_stats (or mallinfo) for this process; malloc_info and this report count in 64 bits',
  }
}
