// Nothing is wrong: said in a sentence, with what that rests on.
import { bytesText, percentText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

const THRESHOLDS = {
  mostUnaccountedPercent: {
    value: 1,
    unit: 'percent',
    meaning: 'more resident memory unaccounted, and nobody can say that all is fine',
  },
} as const satisfies Thresholds

export const memoryIsFine: Rule = defineRule({
  name: 'memory-is-fine',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures: 'whether no other rule warns and the ledger adds up',
    how: 'it comes last: no warning and no critical finding, every arena read completely, no anomaly, and resident memory explained',
    thresholds: [`less than ${limits.mostUnaccountedPercent} % of the resident memory unaccounted`],
    read: ['malloc_info(3)', 'proc_pid_smaps(5)'],
  }),
})

function check(
  { heap, ledger, rules }: Facts,
  earlier: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  if (!heap || !ledger || earlier.some(({ severity }) => severity !== 'info')) return null
  const { liveBytes, freeBytes } = heap.totals
  if (liveBytes === null || freeBytes === null || heap.anomalies.length > 0) return null
  if (Math.abs(ledger.unaccountedPercent) >= limits.mostUnaccountedPercent) return null
  const mmapped = heap.mmapped.bytes ?? 0
  const off = rules?.off ?? []
  return {
    rule: memoryIsFine.name,
    severity: 'info',
    title: `memory is fine: of ${bytesText(ledger.totalBytes)} resident all but ${percentText(Math.abs(ledger.unaccountedPercent))} is explained; malloc has ${bytesText(liveBytes + mmapped)} live and keeps ${bytesText(freeBytes)} free`,
    evidence: [
      { label: 'resident', value: ledger.totalBytes, unit: 'bytes' },
      { label: 'unaccounted', value: ledger.unaccountedBytes, unit: 'bytes' },
      { label: 'live in arenas', value: liveBytes, unit: 'bytes' },
      { label: 'mmapped chunks', value: heap.mmapped.bytes, unit: 'bytes' },
      { label: 'free in arenas', value: freeBytes, unit: 'bytes' },
      ...(off.length > 0
        ? [{ label: 'rules that were not asked', value: off.join(', '), unit: 'text' as const }]
        : []),
    ],
    nextStep: 'nothing to do; if it grows over time, compare two reports',
  }
}
