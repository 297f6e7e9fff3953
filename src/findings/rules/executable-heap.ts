// Heap memory that may be executed: what an attacker writes there can run.
import { bytesText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'

/** Mappings that are named. */
const MOST_MAPPINGS = 5

export const executableHeap: Rule = defineRule({
  name: 'executable-heap',
  thresholds: {},
  check,
  explain: () => ({
    measures: 'whether heaps of malloc lie in mappings with execute permission (rwxp)',
    how: 'permissions of the mappings of every arena and of the main heap',
    thresholds: ['one such mapping is a warning'],
    read: [
      'personality(2): READ_IMPLIES_EXEC, set by older kernels for programs or libraries that ask for an executable stack',
      'execstack(8), ld(1): -z noexecstack',
      'mprotect(2)',
    ],
  }),
})

function check({ executableHeaps }: Facts): Finding | null {
  if (executableHeaps.length === 0) return null
  const bytes = executableHeaps.reduce((sum, one) => sum + one.bytes, 0)
  const many = executableHeaps.length === 1 ? 'a mapping' : `${executableHeaps.length} mappings`
  return {
    rule: executableHeap.name,
    severity: 'warning',
    title: `${many} of malloc's heaps with ${bytesText(bytes)} may be executed (rwxp)`,
    evidence: [
      { label: 'executable mappings of heaps', value: executableHeaps.length, unit: 'count' },
      { label: 'bytes in them', value: bytes, unit: 'bytes' },
      ...executableHeaps
        .slice(0, MOST_MAPPINGS)
        .map((one) => ({ label: one.start, value: one.bytes, unit: 'bytes' as const })),
    ],
    nextStep:
      'find the object that asks for an executable stack (readelf -lW FILE: GNU_STACK RWE) and link it with -z noexecstack; it costs no memory, it is a danger',
    why: 'READ_IMPLIES_EXEC was in force when the heaps were mapped, or the program called mprotect on them',
  }
}
