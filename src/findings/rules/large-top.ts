// The free end of arenas (top) is large, in RAM, and not given back.
import { bytesText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding, Fix } from '../finding.js'
import { fixesFor, trimNow } from '../fixes.js'
import { defineRule, gradeBytes, isToldBy, type Rule } from '../rule.js'
import { nonMain, residentBytes, residentOf } from '../sums.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

/** M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD when nothing was set and nothing has drifted. */
const DEFAULT_BYTES = 128 << 10

const THRESHOLDS = {
  leastTopBytes: { value: 32 << 20, unit: 'bytes', meaning: 'less of top in RAM is not told' },
  criticalTopBytes: { value: 1 << 30, unit: 'bytes', meaning: 'critical from here on' },
  leastSharePercent: {
    value: 25,
    unit: 'percent',
    meaning: "share of the arenas' resident bytes that is top, from which on it is told",
  },
} as const satisfies Thresholds

export const largeTop: Rule = defineRule({
  name: 'large-top',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: 'how much of the free end of the arenas (top) is in RAM',
    how: 'resident bytes of top of every arena; mp_.trim_threshold says from which size on free() gives it back. It drifts: a freed chunk with its own mapping raises mmap_threshold to its size (32 MiB at most on 64 bit) and trim_threshold to twice that',
    thresholds: [
      `${bytesText(limits.leastTopBytes)} or more of tops in RAM, and ${limits.leastSharePercent} % of what is resident of the arenas`,
      `critical from ${bytesText(limits.criticalTopBytes)} on; for information only where arena-bloat or idle-arenas tell of it`,
      `drifted: mmap_threshold above ${bytesText(DEFAULT_BYTES)} while it is not fixed`,
    ],
    read: [
      'mallopt(3): M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD (the dynamic threshold)',
      'malloc_trim(3): it shrinks the top of main_arena only',
      'glibc manual: "Malloc Tunable Parameters"',
    ],
  }),
})

function check(
  facts: Facts,
  earlier: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const { heap } = facts
  if (!heap) return null
  const top = residentOf(heap.arenas, 'topBytes')
  const resident = residentBytes(heap.arenas)
  if (top === null || resident === null || top < limits.leastTopBytes) return null
  if ((100 * top) / resident < limits.leastSharePercent) return null
  const others = residentOf(nonMain(heap), 'topBytes') ?? 0
  const {
    trimThresholdBytes = null,
    topPadBytes = null,
    mmapThresholdBytes = null,
    dynamicThreshold = null,
  } = heap.parameters ?? {}
  const drifted = dynamicThreshold === true && (mmapThresholdBytes ?? 0) > DEFAULT_BYTES
  return {
    rule: largeTop.name,
    severity: gradeBytes(top, limits.criticalTopBytes, isToldBy(earlier, 'arena-bloat', 'idle-arenas')),
    title: `${bytesText(top)} at the free end of arenas stays in RAM: free() gives back the top only from ${bytesText(trimThresholdBytes)} on`,
    evidence: [
      { label: 'top of main_arena, resident', value: top - others, unit: 'bytes' },
      { label: 'tops of other arenas, resident', value: others, unit: 'bytes' },
      { label: 'M_TRIM_THRESHOLD', value: trimThresholdBytes, unit: 'bytes' },
      { label: 'M_TOP_PAD', value: topPadBytes, unit: 'bytes' },
      { label: 'M_MMAP_THRESHOLD', value: mmapThresholdBytes, unit: 'bytes' },
      { label: 'M_MMAP_THRESHOLD has drifted', value: drifted ? 'yes' : 'no', unit: 'text' },
    ],
    nextStep: `set MALLOC_TRIM_THRESHOLD_=${DEFAULT_BYTES} in the program's environment and restart it`,
    fixes: topFixes(facts, topPadBytes),
    why: drifted
      ? `a freed block of ${bytesText(mmapThresholdBytes)} raised M_MMAP_THRESHOLD to its size and M_TRIM_THRESHOLD to twice that`
      : 'M_TRIM_THRESHOLD or M_TOP_PAD is set high, or only small chunks were freed: free() looks at top after a free chunk of 64 KiB or more',
  }
}

function topFixes(facts: Facts, topPadBytes: number | null): readonly Fix[] {
  const fixed =
    'this also ends the drift: blocks from M_MMAP_THRESHOLD on get a mapping of their own, and a system call each'
  const padded = (topPadBytes ?? 0) > DEFAULT_BYTES
  return [
    ...trimNow(facts),
    ...fixesFor('trimThreshold', DEFAULT_BYTES, facts, fixed),
    ...(padded
      ? fixesFor('topPad', DEFAULT_BYTES, facts, 'the default; what is kept at the end of main_arena')
      : []),
  ]
}
