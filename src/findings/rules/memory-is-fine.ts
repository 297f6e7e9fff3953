// Nothing is wrong: said in a sentence, with what that rests on.
import { bytesText, percentText } from '../../format/sizes.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import type { Rule } from '../rule.js'

/** More than this unaccounted, and nobody can say that all is fine. */
const MOST_UNACCOUNTED_PERCENT = 1

export const memoryIsFine: Rule = {
  name: 'memory-is-fine',
  check,
  explanation: {
    measures: 'whether no other rule warns and the ledger adds up',
    how: 'it comes last: no warning and no critical finding, every arena read completely, no anomaly, and resident memory explained',
    thresholds: [`less than ${MOST_UNACCOUNTED_PERCENT} % of the resident memory unaccounted`],
    read: ['malloc_info(3)', 'proc_pid_smaps(5)'],
  },
}

function check({ heap, ledger }: Facts, earlier: readonly Finding[]): Finding | null {
  if (!heap || !ledger || earlier.some(({ severity }) => severity !== 'info')) return null
  const { liveBytes, freeBytes } = heap.totals
  if (liveBytes === null || freeBytes === null || heap.anomalies.length > 0) return null
  if (Math.abs(ledger.unaccountedPercent) >= MOST_UNACCOUNTED_PERCENT) return null
  const mmapped = heap.mmapped.bytes ?? 0
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
    ],
    nextStep: 'nothing to do; if it grows over time, compare two reports',
  }
}
