// More arenas than the CPUs that the process may use would give it: glibc counts the machine's.
import { bytesText, countText } from '../../format/sizes.js'
import { countedCpus, defaultLimit, recommendedArenas, usableCpus } from '../arena-limit.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { fixesFor } from '../fixes.js'
import { defineRule, type Rule } from '../rule.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  leastFreeBytes: {
    value: 16 << 20,
    unit: 'bytes',
    meaning: 'less free memory in all arenas makes it a thing to know only',
  },
} as const satisfies Thresholds

export const cpuQuota: Rule = defineRule({
  name: 'cpu-quota',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      'whether glibc made more arenas than its own limit would allow for the CPUs that the process can use',
    how: "arenas against glibc's default limit for the least of: CPUs online, CPUs allowed (affinity and cpuset), the CPU quota of its control groups (v1 cpu.cfs_quota_us, v2 cpu.max, all levels); live processes only",
    thresholds: [
      'more arenas than the default limit for those CPUs, which are fewer than those online, and M_ARENA_MAX is not set',
      `a warning from ${bytesText(limits.leastFreeBytes)} of free memory in all arenas on`,
    ],
    read: [
      'mallopt(3): M_ARENA_MAX, M_ARENA_TEST',
      'cgroups(7), cpuset(7), sched_setaffinity(2)',
      'BZ 30945 of glibc',
    ],
  }),
})

function check(facts: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const { heap, surroundings } = facts
  const usable = usableCpus(facts)
  const online = surroundings?.onlineCpus ?? null
  if (!heap || !usable || online === null || usable.cpus >= online) return null
  if (heap.parameters === null || heap.parameters.arenaMax !== 0) return null
  const count = heap.arenas.length
  const fair = defaultLimit(heap, usable.cpus)
  if (count <= fair) return null
  const { freeBytes } = heap.totals
  const { arenas, because } = recommendedArenas(facts)
  return {
    rule: cpuQuota.name,
    severity: (freeBytes ?? 0) >= limits.leastFreeBytes ? 'warning' : 'info',
    title: `${count} arenas, although the process can use ${usable.cpus} of ${online} CPUs (${usable.by}): glibc counts the machine's`,
    evidence: [
      { label: 'arenas', value: count, unit: 'count' },
      { label: 'default limit for the CPUs it can use', value: fair, unit: 'count' },
      { label: 'default limit for the CPUs online', value: defaultLimit(heap, online), unit: 'count' },
      { label: 'CPUs online', value: online, unit: 'count' },
      { label: 'CPUs allowed', value: surroundings?.allowedCpus ?? null, unit: 'count' },
      { label: 'CPU quota', value: quotaText(surroundings?.quotaCpus ?? null), unit: 'text' },
      { label: 'free memory of all arenas', value: freeBytes, unit: 'bytes' },
    ],
    nextStep: `set MALLOC_ARENA_MAX=${arenas} in the program's environment and restart it`,
    fixes: fixesFor('arenaMax', arenas, facts, because),
    why: `glibc ${heap.glibc.version ?? ''} counts ${countedCpus(heap)}; ${countText(facts.threads)} threads then get ${count} arenas`,
  }
}

function quotaText(cpus: number | null): string {
  return cpus === null ? 'none' : `${Number(cpus.toFixed(2))} CPUs`
}
