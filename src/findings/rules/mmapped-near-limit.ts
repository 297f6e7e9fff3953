// Chunks with their own mapping near malloc's limit, or mappings near the kernel's.
import { countText, percentText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { fixesFor } from '../fixes.js'
import { defineRule, type Rule } from '../rule.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  warningPercent: { value: 80, unit: 'percent', meaning: 'of either limit, from which on it is told' },
  criticalPercent: {
    value: 95,
    unit: 'percent',
    meaning: "of the kernel's limit: beyond it mmap fails, and malloc with it",
  },
} as const satisfies Thresholds

export const mmappedNearLimit: Rule = defineRule({
  name: 'mmapped-near-limit',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      "how close the number of mmapped chunks is to M_MMAP_MAX, and the number of mappings to the kernel's limit",
    how: 'mp_.n_mmaps against mp_.n_mmaps_max; all mappings of the process against vm.max_map_count (live processes)',
    thresholds: [
      `a warning from ${limits.warningPercent} % of either limit on`,
      `critical from ${limits.criticalPercent} % of vm.max_map_count on: then mmap fails with ENOMEM. At M_MMAP_MAX malloc only takes large blocks from arenas instead`,
    ],
    read: ['mallopt(3): M_MMAP_MAX, M_MMAP_THRESHOLD', 'mmap(2): ENOMEM', 'proc_sys_vm(5): max_map_count'],
  }),
})

function check(facts: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const { heap, surroundings, mappings } = facts
  const chunks = heap?.mmapped.count ?? null
  const mostChunks = heap?.parameters?.mmapsMost || null
  const mostMappings = surroundings?.mostMappings || null
  const chunkPercent = chunks === null || mostChunks === null ? 0 : (100 * chunks) / mostChunks
  const mapPercent = mostMappings === null ? 0 : (100 * mappings) / mostMappings
  if (Math.max(chunkPercent, mapPercent) < limits.warningPercent) return null
  const byKernel = mapPercent >= limits.warningPercent
  const raised = 2 * (byKernel ? mostMappings! : mostChunks!)
  const sysctl = {
    how: 'command' as const,
    text: `sysctl -w vm.max_map_count=${raised}`,
    restart: false,
    note: 'for the whole machine, as root; without it mmap, and so malloc, fails at the limit',
  }
  return {
    rule: mmappedNearLimit.name,
    severity: mapPercent >= limits.criticalPercent ? 'critical' : 'warning',
    title: byKernel
      ? `${countText(mappings)} mappings of ${countText(mostMappings)} that the kernel allows a process (vm.max_map_count)`
      : `${countText(chunks)} mmapped chunks of ${countText(mostChunks)} that M_MMAP_MAX allows: beyond, large blocks come from arenas`,
    evidence: [
      { label: 'mmapped chunks', value: chunks, unit: 'count' },
      { label: 'M_MMAP_MAX', value: mostChunks, unit: 'count' },
      { label: 'of M_MMAP_MAX', value: Number(chunkPercent.toFixed(1)), unit: 'percent' },
      { label: 'mappings of the process', value: mappings, unit: 'count' },
      { label: 'vm.max_map_count', value: mostMappings, unit: 'count' },
    ],
    nextStep: byKernel
      ? `raise vm.max_map_count, or let malloc map fewer blocks: MALLOC_MMAP_THRESHOLD_ above their size`
      : `raise M_MMAP_MAX, or M_MMAP_THRESHOLD above the size of these blocks`,
    fixes: byKernel
      ? [sysctl]
      : fixesFor(
          'mmapMax',
          raised,
          facts,
          `twice today's limit (vm.max_map_count bounds it, ${percentText(mapPercent)} used)`,
        ),
    why: 'each block from M_MMAP_THRESHOLD on gets a mapping of its own until the limit is reached',
  }
}
