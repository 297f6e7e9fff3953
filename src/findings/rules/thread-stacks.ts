// Threads' stacks take a large part of the memory.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, gradeBytes, type Rule } from '../rule.js'
import { ledgerBytes } from '../sums.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  leastBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less of stacks in RAM is not told' },
  criticalBytes: { value: 4 * 2 ** 30, unit: 'bytes', meaning: 'critical from here on' },
  leastSharePercent: {
    value: 25,
    unit: 'percent',
    meaning: 'share of the resident memory, from which on it is told',
  },
} as const satisfies Thresholds

export const threadStacks: Rule = defineRule({
  name: 'thread-stacks',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: "how much of the resident memory is threads' stacks",
    how: 'mappings that hold a stack pointer, or that look like the stacks that do; the main stack does not count. What is reserved is address space only: pages come when a stack grows into them, and stay',
    thresholds: [
      `${bytesText(limits.leastBytes)} or more in RAM, and ${limits.leastSharePercent} % of the resident memory`,
      `critical from ${bytesText(limits.criticalBytes)} on`,
    ],
    read: [
      'pthread_attr_setstacksize(3), pthread_create(3)',
      'getrlimit(2): RLIMIT_STACK',
      'proc_pid_smaps(5)',
    ],
  }),
})

function check(facts: Facts, _: readonly Finding[], limits: LimitsOf<typeof THRESHOLDS>): Finding | null {
  const { categories, ledger, threads } = facts
  const resident = ledgerBytes(facts, 'thread stacks')
  const stacks = categories.find(({ category }) => category === 'thread stacks')
  if (!ledger || resident === null || !stacks || resident < limits.leastBytes) return null
  const sharePercent = (100 * resident) / ledger.totalBytes
  if (sharePercent < limits.leastSharePercent) return null
  const average = Math.round(resident / Math.max(1, stacks.mappings))
  return {
    rule: threadStacks.name,
    severity: gradeBytes(resident, limits.criticalBytes),
    title: `stacks of ${countText(threads)} threads hold ${bytesText(resident)} in RAM, ${percentText(sharePercent)} of the process`,
    evidence: [
      { label: 'threads', value: threads, unit: 'count' },
      { label: 'mappings of stacks', value: stacks.mappings, unit: 'count' },
      { label: 'reserved for stacks', value: stacks.virtualBytes, unit: 'bytes' },
      { label: 'in RAM', value: resident, unit: 'bytes' },
      { label: 'in RAM, a stack on average', value: average, unit: 'bytes' },
    ],
    nextStep:
      'run fewer threads, or find what puts so much on their stacks (large local arrays, deep recursion): pages that a stack once grew into stay until the thread ends',
    why: `each stack may grow to ${bytesText(Math.round(stacks.virtualBytes / Math.max(1, stacks.mappings)))}, and has kept ${bytesText(average)} on average`,
  }
}
