// Most of the memory is anonymous and not malloc's: what it looks like.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import type { AnonymousMapping, Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import type { Rule } from '../rule.js'
import { ledgerBytes } from '../sums.js'

/** Less than this is not told. */
const LEAST_BYTES = 64 << 20
const LEAST_SHARE_PERCENT = 50
/** A warning from here on, where no other allocator explains it. */
const WARNING_BYTES = 1 << 30
/** Mappings that are named. */
const MOST_MAPPINGS = 5
/** Of the largest mappings so many of one size look like a pool. */
const LEAST_OF_ONE_SIZE = 4
/** Share of the anonymous memory in one mapping that makes it the whole story. */
const ONE_MAPPING_PERCENT = 80

export const anonymousDominates: Rule = {
  name: 'anonymous-dominates',
  check,
  explanation: {
    measures: "how much of the resident memory is anonymous and neither malloc's nor a stack",
    how: 'the ledger\'s line "other anonymous": private memory that no arena, mmapped chunk or stack explains. What it looks like is told by the sizes and permissions of its largest mappings',
    thresholds: [
      `${bytesText(LEAST_BYTES)} or more, and ${LEAST_SHARE_PERCENT} % of the resident memory: for information`,
      `a warning from ${bytesText(WARNING_BYTES)} on, unless another allocator explains it`,
      `a pool: ${LEAST_OF_ONE_SIZE} or more of the largest mappings have one size; one mapping: it has ${ONE_MAPPING_PERCENT} % or more`,
    ],
    read: ['mmap(2)', 'proc_pid_smaps(5)', 'arena-inspect maps TARGET --by suffix'],
  },
}

function check(facts: Facts): Finding | null {
  const { ledger, anonymous, otherAllocator, categories } = facts
  const bytes = ledgerBytes(facts, 'other anonymous')
  if (!ledger || bytes === null || bytes < LEAST_BYTES) return null
  const sharePercent = (100 * bytes) / ledger.totalBytes
  if (sharePercent < LEAST_SHARE_PERCENT) return null
  const sum = categories.find(({ category }) => category === 'other anonymous')
  const looks = otherAllocator ? `the memory of ${otherAllocator.name}` : looksLike(anonymous, bytes)
  return {
    rule: anonymousDominates.name,
    severity: bytes >= WARNING_BYTES && !otherAllocator ? 'warning' : 'info',
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

function looksLike(anonymous: readonly AnonymousMapping[], bytes: number): string {
  const executable = anonymous.filter((one) => one.executable)
  const bySize = new Map<number, number>()
  for (const one of anonymous) bySize.set(one.bytes, (bySize.get(one.bytes) ?? 0) + 1)
  const [size, count] = [...bySize].sort((a, b) => b[1] - a[1])[0] ?? [0, 0]
  const [first] = [...anonymous].sort((a, b) => (b.residentBytes ?? b.bytes) - (a.residentBytes ?? a.bytes))
  if (first && (100 * (first.residentBytes ?? first.bytes)) / bytes >= ONE_MAPPING_PERCENT)
    return `nearly all in one mapping at ${first.start}, a buffer or pool that the program mapped itself`
  const jit =
    executable.length > 0 ? `, ${executable.length} of the largest executable as of a JIT compiler` : ''
  if (count >= LEAST_OF_ONE_SIZE)
    return `${countText(count)} of the largest mappings have ${bytesText(size)} each, as of a pool or of stacks of its own${jit}`
  return `mappings of many sizes, as of a runtime with its own heap${jit}`
}
