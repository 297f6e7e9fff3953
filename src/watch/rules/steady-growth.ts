// Something grows on and on: which, how fast, and when memory runs out.
import type { Finding } from '../../findings/finding.js'
import { defineRule } from '../../findings/rule.js'
import type { LimitsOf, Thresholds } from '../../findings/thresholds.js'
import { durationText } from '../../format/durations.js'
import { bytesText } from '../../format/sizes.js'
import { LEDGER_LINES, type LedgerLine } from '../../maps/ledger.js'
import type { Point } from '../history.js'
import { RUN_OUT_THRESHOLDS, runOut, runOutEvidence, runOutText, severityOf } from '../run-out.js'
import { type Figure, seriesOf } from '../series.js'
import { type Growth, LEAST_SPAN_MS, LEAST_VALUES, MOST_FALL, RISING_SHARE, steadyGrowth } from '../steady.js'
import type { WatchFacts, WatchRule } from '../watch-rule.js'
import { retentionGrowth } from './retention-growth.js'

/** Further categories that grow are told, so many. */
const MOST_TOLD = 4

const THRESHOLDS = {
  leastGrowthBytes: { value: 1 << 20, unit: 'bytes', meaning: 'less growth does not count' },
  leastGrowthPercent: { value: 1, unit: 'percent', meaning: 'nor less of the level it started from' },
  ...RUN_OUT_THRESHOLDS,
} as const satisfies Thresholds

export const steadyGrowthRule: WatchRule = defineRule({
  name: 'steady-growth',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      'memory that grows on and on, by category, and when the machine or the control group has none left',
    how: 'the least value of each of up to 32 windows of time, so that a sawtooth is flat; the slope is the median over all pairs of windows (Theil–Sen); what is left is MemAvailable, or the limit of the control group less what is charged to it, against the slope of RSS and swap',
    thresholds: [
      `${LEAST_VALUES} samples with known figures over ${durationText(LEAST_SPAN_MS)} or more`,
      `growth by ${bytesText(limits.leastGrowthBytes)} and ${limits.leastGrowthPercent} % or more`,
      `of all pairs of windows ${100 * RISING_SHARE} % rise, no fall on the way is deeper than ${100 * MOST_FALL} % of the whole rise, and each half rises`,
      `critical when memory runs out within ${durationText(limits.criticalWithinMs)}, a note when in more than ${durationText(limits.noteBeyondMs)}`,
    ],
    read: ['proc_meminfo(5): MemAvailable', 'cgroups(7)', 'Theil–Sen estimator; Mann–Kendall test'],
  }),
})

interface Candidate {
  readonly figure: Figure
  readonly what: string
  readonly verb: 'grow' | 'grows'
}

const IN_USE: Candidate = { figure: 'inUseBytes', what: "bytes in use in malloc's arenas", verb: 'grow' }
const MMAPPED: Candidate = { figure: 'mmappedBytes', what: 'mmapped chunks', verb: 'grow' }
const RSS: Candidate = { figure: 'rssBytes', what: 'resident memory (RSS)', verb: 'grows' }

/** Told by the exact figures of malloc, or by nobody. */
const NOT_BY_LEDGER: ReadonlySet<LedgerLine> = new Set([
  'malloc: live',
  'malloc: tcache',
  'malloc: not told apart',
  'mmapped chunks',
])
/** What retention consists of. */
const FREE_LINES: ReadonlySet<LedgerLine> = new Set([
  'malloc: fastbins',
  'malloc: bins, trimmable',
  'malloc: bins, pinned',
  'malloc: top',
  'malloc: overhead',
  'malloc: reserved',
])

interface Grown extends Candidate {
  readonly growth: Growth
}

function check(
  { points, now }: WatchFacts,
  earlier: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const isRetention = earlier.some(({ rule }) => rule === retentionGrowth.name)
  const lines = LEDGER_LINES.filter(
    (line) => !NOT_BY_LEDGER.has(line) && !(isRetention && FREE_LINES.has(line)),
  )
  const byLine = lines.map((line): Candidate => ({ figure: line, what: line, verb: 'grows' }))
  const grown = grownOf([IN_USE, MMAPPED, ...byLine], points, limits)
  const [first, ...others] = grown.length > 0 || isRetention ? grown : grownOf([RSS], points, limits)
  if (!first) return null
  const out = runOut(points)
  const { growth, what, verb } = first
  return {
    rule: steadyGrowthRule.name,
    severity: severityOf(out, limits),
    title: `${what} ${verb} steadily, by ${bytesText(growth.perHour)} an hour${runOutText(out)}`,
    evidence: [
      { label: `${what}, growth an hour`, value: Math.round(growth.perHour), unit: 'bytes' },
      { label: `${what}, at first`, value: growth.from, unit: 'bytes' },
      { label: `${what}, at last`, value: growth.to, unit: 'bytes' },
      { label: 'seen for', value: durationText(growth.toMs - growth.fromMs), unit: 'text' },
      { label: 'samples', value: growth.values, unit: 'count' },
      ...others.slice(0, MOST_TOLD).map(
        (other) =>
          ({
            label: `${other.what}, growth an hour`,
            value: Math.round(other.growth.perHour),
            unit: 'bytes',
          }) as const,
      ),
      ...runOutEvidence(out),
    ],
    nextStep: nextStepOf(first.figure, now.pid),
  }
}

// Fastest first.
function grownOf(
  candidates: readonly Candidate[],
  points: readonly Point[],
  limits: LimitsOf<typeof THRESHOLDS>,
): readonly Grown[] {
  return candidates
    .flatMap((candidate): Grown[] => {
      const series = seriesOf(points, candidate.figure)
      const level = series[0]?.value ?? 0
      const growth = steadyGrowth(
        series,
        Math.max(limits.leastGrowthBytes, (level * limits.leastGrowthPercent) / 100),
      )
      return growth ? [{ ...candidate, growth }] : []
    })
    .sort((a, b) => b.growth.perHour - a.growth.perHour)
}

function nextStepOf(figure: Figure, pid: number | null): string {
  const target = pid === null ? 'TARGET' : `--pid ${pid}`
  if (figure === 'inUseBytes' || String(figure).startsWith('malloc: ')) {
    return `arena-inspect chunks ${target} --used --sort size --limit 20 shows what is held, arena-inspect trace ${target} --min 1M which stacks make malloc take more`
  }
  if (figure === 'thread stacks')
    return `arena-inspect threads ${target} shows the threads: they are not joined, or not bounded`
  if (figure === 'mmappedBytes' || figure === 'other anonymous' || figure === 'shared memory') {
    return `arena-inspect trace ${target} --min 1M shows which stacks map it`
  }
  return `arena-inspect maps ${target} shows the mappings, arena-inspect trace ${target} --min 1M who makes them`
}
