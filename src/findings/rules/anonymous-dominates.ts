// Most of the memory is anonymous and not malloc's: what it looks like.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import type { AnonymousMapping, Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'
import { ledgerBytes } from '../sums.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

/** Mappings that are named. */
const MOST_MAPPINGS = 5

const THRESHOLDS = {
  leastBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less than this is not told' },
  leastSharePercent: {
    value: 50,
    unit: 'percent',
    meaning: 'share of the resident memory, from which on it is told',
  },
  warningBytes: {
    value: 1 << 30,
    unit: 'bytes',
    meaning: 'a warning from here on, where no other allocator explains it',
  },
  poolMappings: {
    value: 4,
    unit: 'count',
    meaning: 'of the largest mappings so many of one size look like a pool',
  },
  oneMappingPercent: {
    value: 80,
    unit: 'percent',
    meaning: 'share of the anonymous memory in one mapping that makes it the whole story',
  },
} as const satisfies Thresholds

export const anonymousDominates: Rule = defineRule({
  name: 'anonymous-dominates',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: "how much of the resident memory is anonymous and neither malloc's nor a stack",
    how: 'the ledger\'s line "other anonymous": private memory that no arena, mmapped chunk or stack explains. What it looks like is told by the sizes and permissions of its largest mappings',
    thresholds: [
      `${bytesText(limits.leastBytes)} or more, and ${limits.leastSharePercent} % of the resident memory: for information`,
      `a warning from ${bytesText(limits.warningBytes)} on, unless another allocator explains it`,
      `a pool: ${limits.poolMappings} or more of the largest mappings have one size; one mapping: it has ${limits.oneMappingPercent} % or more`,
    ],
    read: ['mmap(2)', 'proc_pid_smaps(5)', 'arena-inspect maps TARGET --by suffix'],
  }),
})

function check(facts: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const { ledger, anonymous, otherAllocator, categories } = facts
  const bytes = ledgerBytes(facts, 'other anonymous')
  if (!ledger || bytes === null || bytes < limits.leastBytes) return null
  const sharePercent = (100 * bytes) / ledger.totalBytes
  if (sharePercent < limits.leastSharePercent) return null
  const sum = categories.find(({ category }) => category === 'other anonymous')
  const looks = otherAllocator ? `the memory of ${otherAllocator.name}` : looksLike(anonymous, bytes, limits)
  return {
    rule: anonymousDominates.name,
    severity: bytes >= limits.warningBytes && !otherAllocator ? 'warning' : 'info',
    title: `${bytesText(bytes)}, ${percentText(sharePercent)} of the process, is anonymous memory that is not malloc's: ${looks}`,
    evidence: [
      { label: 'other anonymous memory, resident', value: bytes, unit: 'bytes' },
      { label: 'of the process', value: Number(sharePercent.toFixed(1)), unit: 'percent' },
      { label: 'mappings', value: sum?.mappings ?? null, unit: 'count' },
      { label: 'address space', value: sum?.virtualBytes ?? null, unit: 'bytes' },
      ...anonymous.slice(0, MOST_MAPPINGS).map((one) => ({
        label: one.start,
        value: `${bytesText(one.bytes)}, ${bytesText(one.residentBytes)} resident${one.executable ? ', executable' : ''}`,
        unit: 'text' as const,
      })),
    ],
    nextStep:
      'malloc settings do not change it: ask the program or runtime that mapped it; arena-inspect x at one of these addresses shows what is inside',
    why: 'memory that a program gets from mmap itself is not counted by malloc_stats, malloc_info or this report of arenas',
  }
}

function looksLike(
  anonymous: readonly AnonymousMapping[],
  bytes: number,
  limits: LimitsOf<typeof THRESHOLDS>,
): string {
  const executable = anonymous.filter((one) => one.executable)
  const bySize = new Map<number, number>()
  for (const one of anonymous) bySize.set(one.bytes, (bySize.get(one.bytes) ?? 0) + 1)
  const [size, count] = [...bySize].sort((a, b) => b[1] - a[1])[0] ?? [0, 0]
  const [first] = [...anonymous].sort((a, b) => (b.residentBytes ?? b.bytes) - (a.residentBytes ?? a.bytes))
  if (first && (100 * (first.residentBytes ?? first.bytes)) / bytes >= limits.oneMappingPercent)
    return `nearly all in one mapping at ${first.start}, a buffer or pool that the program mapped itself`
  const jit =
    executable.length > 0 ? `, ${executable.length} of the largest executable as of a JIT compiler` : ''
  if (count >= limits.poolMappings)
    return `${countText(count)} of the largest mappings have ${bytesText(size)} each, as of a pool or of stacks of its own${jit}`
  return `mappings of many sizes, as of a runtime with its own heap${jit}`
}
