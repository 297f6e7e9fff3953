// Arenas grow while what is in use stays the same: malloc keeps what was freed and cannot use it again.

import { recommendedArenas } from '../../findings/arena-limit.js'
import type { Finding, Fix } from '../../findings/finding.js'
import { fixesFor, trimNow } from '../../findings/fixes.js'
import { defineRule } from '../../findings/rule.js'
import type { LimitsOf, Thresholds } from '../../findings/thresholds.js'
import { durationText } from '../../format/durations.js'
import { bytesText, percentOf, percentText } from '../../format/sizes.js'
import { RUN_OUT_THRESHOLDS, runOut, runOutEvidence, runOutText, severityOf } from '../run-out.js'
import { seriesOf, type Value } from '../series.js'
import { floorsOf, type Growth, LEAST_SPAN_MS, LEAST_VALUES, steadyGrowth, theilSen } from '../steady.js'
import type { WatchFacts, WatchRule } from '../watch-rule.js'

/** Fewer arenas are no reason to limit them. */
const LEAST_ARENAS_TO_LIMIT = 4

const THRESHOLDS = {
  leastGrowthBytes: { value: 4 << 20, unit: 'bytes', meaning: 'less growth of system bytes does not count' },
  leastGrowthPercent: { value: 1, unit: 'percent', meaning: 'nor less of the level it started from' },
  flatPercent: {
    value: 10,
    unit: 'percent',
    meaning: 'what is in use is flat when it grows by no more of what system bytes grow by',
  },
  ...RUN_OUT_THRESHOLDS,
} as const satisfies Thresholds

export const retentionGrowth: WatchRule = defineRule({
  name: 'retention-growth',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      'arenas that grow although the program holds no more than before: fragmentation, or memory freed into arenas that others do not use',
    how: 'floors of system bytes and of bytes in use over windows of time; slopes by Theil–Sen, steadiness by the share of rising pairs of windows',
    thresholds: [
      `${LEAST_VALUES} samples with known figures over ${durationText(LEAST_SPAN_MS)} or more`,
      `system bytes grow steadily, by ${bytesText(limits.leastGrowthBytes)} and ${limits.leastGrowthPercent} % or more`,
      `bytes in use grow by ${limits.flatPercent} % of that at most`,
      `critical when memory runs out within ${durationText(limits.criticalWithinMs)}, a note when in more than ${durationText(limits.noteBeyondMs)}`,
    ],
    read: [
      'mallopt(3): M_ARENA_MAX, M_TRIM_THRESHOLD',
      'malloc_trim(3)',
      'arena-inspect --explain pinned-fragmentation',
    ],
  }),
})

function check(
  { points, now }: WatchFacts,
  _: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const system = seriesOf(points, 'systemBytes')
  const level = system[0]?.value ?? 0
  const least = Math.max(limits.leastGrowthBytes, (level * limits.leastGrowthPercent) / 100)
  const growth = steadyGrowth(system, least)
  if (!growth) return null
  const inUsePerHour = slopeWithin(seriesOf(points, 'inUseBytes'), growth)
  if (inUsePerHour === null || inUsePerHour > (growth.perHour * limits.flatPercent) / 100) return null
  const last = points.at(-1)!.sample
  const { systemBytes, inUseBytes, freeInBinsBytes, topBytes, arenas } = last
  if (systemBytes === null || inUseBytes === null) return null
  const out = runOut(points)
  const free = systemBytes - inUseBytes
  const limited = recommendedArenas(now)
  const fixes: readonly Fix[] = [
    ...trimNow(now),
    ...reportCommand(now.pid),
    ...(arenas !== null && arenas >= LEAST_ARENAS_TO_LIMIT
      ? fixesFor('arenaMax', limited.arenas, now, limited.because)
      : []),
  ]
  return {
    rule: retentionGrowth.name,
    severity: severityOf(out, limits),
    title: `malloc's arenas grow by ${bytesText(growth.perHour)} an hour while what is in use stays at ${bytesText(inUseBytes)}: ${bytesText(free)} is free memory that malloc keeps${runOutText(out)}`,
    evidence: [
      { label: 'system bytes, growth an hour', value: Math.round(growth.perHour), unit: 'bytes' },
      { label: 'in use, growth an hour', value: Math.round(inUsePerHour), unit: 'bytes' },
      { label: 'seen for', value: durationText(growth.toMs - growth.fromMs), unit: 'text' },
      { label: 'system bytes now', value: systemBytes, unit: 'bytes' },
      { label: 'in use now', value: inUseBytes, unit: 'bytes' },
      { label: 'in use', value: percentText(percentOf(inUseBytes, systemBytes)), unit: 'text' },
      { label: 'free, in bins', value: freeInBinsBytes, unit: 'bytes' },
      { label: 'free, top', value: topBytes, unit: 'bytes' },
      { label: 'arenas', value: arenas, unit: 'count' },
      ...runOutEvidence(out),
    ],
    nextStep: `arena-inspect report${now.pid === null ? '' : ` --pid ${now.pid}`} ${REPORT_NOTE}`,
    ...(fixes.length > 0 ? { fixes } : {}),
    why: 'free chunks between live ones are of sizes that the program does not ask for again, or lie in arenas of other threads',
  }
}

const REPORT_NOTE = 'names what keeps the free memory from being used or given back'

function reportCommand(pid: number | null): readonly Fix[] {
  if (pid === null) return []
  return [{ how: 'command', text: `arena-inspect report --pid ${pid}`, restart: false, note: REPORT_NOTE }]
}

// Null where too little is known of that time.
function slopeWithin(series: readonly Value[], { fromMs, toMs }: Growth): number | null {
  const floors = floorsOf(series.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs))
  return floors.length === 0 ? null : theilSen(floors) * 3_600_000
}
