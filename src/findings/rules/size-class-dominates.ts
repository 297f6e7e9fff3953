// Most of the live bytes are chunks of one size: one kind of object.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import { CLASS_COUNT, classRange, SizeHistogram } from '../../malloc/chunks/size-classes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  leastBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less in one class is not told' },
  leastSharePercent: {
    value: 50,
    unit: 'percent',
    meaning: 'share of the live bytes, from which on it is told',
  },
  warningBytes: {
    value: 1 << 30,
    unit: 'bytes',
    meaning: 'a warning from here on, with warningSharePercent',
  },
  warningSharePercent: { value: 75, unit: 'percent', meaning: 'a warning from here on, with warningBytes' },
} as const satisfies Thresholds

export const sizeClassDominates: Rule = defineRule({
  name: 'size-class-dominates',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: 'whether one size class holds most of the live bytes of the arenas',
    how: 'live chunks by size: each size by itself up to 1 KiB, four classes to a power of two above',
    thresholds: [
      `${bytesText(limits.leastBytes)} or more in one class, and ${limits.leastSharePercent} % of the live bytes: for information`,
      `a warning from ${bytesText(limits.warningBytes)} and ${limits.warningSharePercent} % on`,
    ],
    read: ['mtrace(3)', 'heaptrack(1), valgrind(1) --tool=massif', 'malloc_usable_size(3)'],
  }),
})

function check({ heap }: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const liveBytes = heap?.totals.liveBytes ?? null
  if (!heap || !liveBytes || heap.arenas.some(({ sizes }) => sizes === null)) return null
  const live = new SizeHistogram()
  for (const { sizes } of heap.arenas) live.addAll(sizes!.live)
  let index = 0
  for (let i = 1; i < CLASS_COUNT; i++) if (live.bytes[i]! > live.bytes[index]!) index = i
  const bytes = live.bytes[index]!
  const chunks = live.chunks[index]!
  const sharePercent = (100 * bytes) / liveBytes
  if (bytes < limits.leastBytes || sharePercent < limits.leastSharePercent) return null
  const { min, max } = classRange(index)
  const sizes = max - min <= 16 ? `${min} bytes` : `${min} to ${max - 1} bytes`
  const grave = bytes >= limits.warningBytes && sharePercent >= limits.warningSharePercent
  return {
    rule: sizeClassDominates.name,
    severity: grave ? 'warning' : 'info',
    title: `chunks of ${sizes} are ${percentText(sharePercent)} of the live bytes: ${countText(chunks)} of them hold ${bytesText(bytes)}`,
    evidence: [
      { label: 'chunk size', value: sizes, unit: 'text' },
      { label: 'chunks', value: chunks, unit: 'count' },
      { label: 'bytes', value: bytes, unit: 'bytes' },
      { label: 'average size', value: Math.round(bytes / chunks), unit: 'bytes' },
      { label: 'of the live bytes', value: Number(sharePercent.toFixed(1)), unit: 'percent' },
    ],
    nextStep: `look at a few of them: arena-inspect chunks --used --min ${min} --max ${max - 1} --limit 20, then arena-inspect x at their addresses; if their number grows without end, they leak`,
  }
}
