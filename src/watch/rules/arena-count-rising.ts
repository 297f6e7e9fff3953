// Arenas are still being made: threads find all others locked, up to the limit.
import { limitText, recommendedArenas } from '../../findings/arena-limit.js'
import type { Finding, Fix } from '../../findings/finding.js'
import { fixesFor } from '../../findings/fixes.js'
import { durationText } from '../../format/durations.js'
import { countText } from '../../format/sizes.js'
import { seriesOf } from '../series.js'
import type { WatchFacts, WatchRule } from '../watch-rule.js'

/** Samples with a known count. */
const LEAST_SAMPLES = 6
/** So many arenas more than at first… */
const LEAST_MORE = 2
/** …made at so many different times, of which one lies in the second half of the time. */
const LEAST_RISES = 2
/** From here on it is a warning: fewer are what any threaded program has. */
const WARNING_ARENAS = 8

export const arenaCountRising: WatchRule = {
  name: 'arena-count-rising',
  check,
  explanation: {
    measures:
      'arenas that are made while we look: each keeps free memory of its own, and none ever goes away',
    how: 'the number of arenas in the ring, sample by sample',
    thresholds: [
      `${LEAST_SAMPLES} samples or more in which the ring was closed`,
      `${LEAST_MORE} arenas or more came at ${LEAST_RISES} or more different times, one of them in the second half`,
      `a warning from ${WARNING_ARENAS} arenas on`,
    ],
    read: ['mallopt(3): M_ARENA_MAX, M_ARENA_TEST', 'arena-inspect --explain arena-bloat'],
  },
}

function check({ points, now }: WatchFacts): Finding | null {
  const counts = seriesOf(points, 'arenas')
  const [first, last] = [counts[0], counts.at(-1)]
  if (!first || !last || counts.length < LEAST_SAMPLES) return null
  const rises = counts.filter(({ value }, i) => i > 0 && value > counts[i - 1]!.value)
  const middleMs = (first.atMs + last.atMs) / 2
  if (last.value - first.value < LEAST_MORE || rises.length < LEAST_RISES) return null
  if (rises.at(-1)!.atMs < middleMs) return null
  const threads = points.find(({ sample }) => sample.atMs === first.atMs)!.sample.threads
  const { arenas, because } = recommendedArenas(now)
  const hour = 3_600_000 / (last.atMs - first.atMs)
  return {
    rule: arenaCountRising.name,
    severity: last.value >= WARNING_ARENAS ? 'warning' : 'info',
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
