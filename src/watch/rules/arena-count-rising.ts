// Arenas are still being made: threads find all others locked, up to the limit.
import { limitText, recommendedArenas } from '../../findings/arena-limit.js'
import type { Finding, Fix } from '../../findings/finding.js'
import { fixesFor } from '../../findings/fixes.js'
import { defineRule } from '../../findings/rule.js'
import type { LimitsOf, Thresholds } from '../../findings/thresholds.js'
import { durationText } from '../../format/durations.js'
import { countText } from '../../format/sizes.js'
import { seriesOf } from '../series.js'
import type { WatchFacts, WatchRule } from '../watch-rule.js'

const THRESHOLDS = {
  leastSamples: { value: 6, unit: 'count', meaning: 'fewer samples with a known count say nothing' },
  leastNewArenas: { value: 2, unit: 'count', meaning: 'so many arenas more than at first' },
  leastRises: {
    value: 2,
    unit: 'count',
    meaning: 'made at so many different times, of which one lies in the second half',
  },
  warningArenas: {
    value: 8,
    unit: 'count',
    meaning: 'a warning from here on: fewer are what any threaded program has',
  },
} as const satisfies Thresholds

export const arenaCountRising: WatchRule = defineRule({
  name: 'arena-count-rising',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      'arenas that are made while we look: each keeps free memory of its own, and none ever goes away',
    how: 'the number of arenas in the ring, sample by sample',
    thresholds: [
      `${limits.leastSamples} samples or more in which the ring was closed`,
      `${limits.leastNewArenas} arenas or more came at ${limits.leastRises} or more different times, one of them in the second half`,
      `a warning from ${limits.warningArenas} arenas on`,
    ],
    read: ['mallopt(3): M_ARENA_MAX, M_ARENA_TEST', 'arena-inspect --explain arena-bloat'],
  }),
})

function check(
  { points, now }: WatchFacts,
  _: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const counts = seriesOf(points, 'arenas')
  const [first, last] = [counts[0], counts.at(-1)]
  if (!first || !last || counts.length < limits.leastSamples) return null
  const rises = counts.filter(({ value }, i) => i > 0 && value > counts[i - 1]!.value)
  const middleMs = (first.atMs + last.atMs) / 2
  if (last.value - first.value < limits.leastNewArenas || rises.length < limits.leastRises) return null
  if (rises.at(-1)!.atMs < middleMs) return null
  const threads = points.find(({ sample }) => sample.atMs === first.atMs)!.sample.threads
  const { arenas, because } = recommendedArenas(now)
  const hour = 3_600_000 / (last.atMs - first.atMs)
  return {
    rule: arenaCountRising.name,
    severity: last.value >= limits.warningArenas ? 'warning' : 'info',
    title: `arenas are being made: ${countText(first.value)} at first, ${countText(last.value)} now, in ${durationText(last.atMs - first.atMs)}`,
    evidence: [
      { label: 'arenas at first', value: first.value, unit: 'count' },
      { label: 'arenas now', value: last.value, unit: 'count' },
      { label: 'new arenas an hour', value: Math.round((last.value - first.value) * hour), unit: 'count' },
      {
        label: 'last seen to rise',
        value: `${durationText(last.atMs - rises.at(-1)!.atMs)} ago`,
        unit: 'text',
      },
      { label: 'threads at first', value: threads, unit: 'count' },
      { label: 'threads now', value: now.threads, unit: 'count' },
    ],
    nextStep: `set MALLOC_ARENA_MAX=${arenas} and restart, or stop new ones now with arena-inspect limit`,
    fixes: [...commands(now.pid, last.value), ...fixesFor('arenaMax', arenas, now, because)],
    why: `${limitText(now)}; a thread gets a new arena at its first malloc, and when its own is locked, until the limit is reached`,
  }
}

function commands(pid: number | null, arenas: number): readonly Fix[] {
  if (pid === null) return []
  const command = (text: string, note: string): Fix => ({ how: 'command', text, restart: false, note })
  return [
    command(`arena-inspect trace --pid ${pid} --min 1M`, 'shows the stacks that make them'),
    command(
      `arena-inspect limit --pid ${pid} --arena-max ${arenas}`,
      'no more than today, where its glibc heeds that',
    ),
  ]
}
