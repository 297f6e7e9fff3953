// Threads' stacks take a large part of the memory.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { gradeBytes, type Rule } from '../rule.js'
import { ledgerBytes } from '../sums.js'

/** Less of stacks in RAM than this is not told. */
const LEAST_BYTES = 64 << 20
const CRITICAL_BYTES = 4 * 2 ** 30
/** Share of the resident memory, from which on it is told. */
const LEAST_SHARE_PERCENT = 25

export const threadStacks: Rule = {
  name: 'thread-stacks',
  check,
  explanation: {
    measures: "how much of the resident memory is threads' stacks",
    how: 'mappings that hold a stack pointer, or that look like the stacks that do; the main stack does not count. What is reserved is address space only: pages come when a stack grows into them, and stay',
    thresholds: [
      `${bytesText(LEAST_BYTES)} or more in RAM, and ${LEAST_SHARE_PERCENT} % of the resident memory`,
      `critical from ${bytesText(CRITICAL_BYTES)} on`,
    ],
    read: [
      'pthread_attr_setstacksize(3), pthread_create(3)',
      'getrlimit(2): RLIMIT_STACK',
      'proc_pid_smaps(5)',
    ],
  },
}

function check(facts: Facts): Finding | null {
  const { categories, ledger, threads } = facts
  const resident = ledgerBytes(facts, 'thread stacks')
  const stacks = categories.find(({ category }) => category === 'thread stacks')
  if (!ledger || resident === null || !stacks || resident < LEAST_BYTES) return null
  const sharePercent = (100 * resident) / ledger.totalBytes
  if (sharePercent < LEAST_SHARE_PERCENT) return null
  const average = Math.round(resident / Math.max(1, stacks.mappings))
  return {
    rule: threadStacks.name,
    severity: gradeBytes(resident, CRITICAL_BYTES),
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
