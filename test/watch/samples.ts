// Samples and histories made up for tests of what looks at them.
import type { Facts } from '../../src/findings/facts.js'
import type { Finding } from '../../src/findings/finding.js'
import { History } from '../../src/watch/history.js'
import { watchFindings } from '../../src/watch/rules.js'
import type { Sample } from '../../src/watch/sample.js'

export const START_MS = Date.UTC(2026, 10, 24, 2, 0, 0)
export const MIB = 2 ** 20
export const GIB = 2 ** 30

/** A sample of a small process that rests, with what differs. */
export function sampleWith(atMs: number, differs: Partial<Sample> = {}): Sample {
  return {
    atMs,
    tookMs: 5,
    threads: 4,
    rssBytes: 100 * MIB,
    swapBytes: 0,
    virtualBytes: 500 * MIB,
    categories: { 'malloc: live': 80 * MIB, 'thread stacks': MIB },
    arenas: 4,
    heaps: 4,
    systemBytes: 90 * MIB,
    inUseBytes: 80 * MIB,
    freeInBinsBytes: 8 * MIB,
    topBytes: 2 * MIB,
    trimReturnsBytes: 0,
    movingArenas: 0,
    mmappedChunks: 0,
    mmappedBytes: 0,
    byArena: [],
    otherArenas: null,
    cgroupUsedBytes: null,
    cgroupLimitBytes: null,
    machineAvailableBytes: 8 * GIB,
    ...differs,
  }
}

/** `count` samples, `everyMs` apart; `differs` says what the one at `i` has, `atMs` after the first. */
export function historyOf(
  count: number,
  differs: (i: number, atMs: number) => Partial<Sample>,
  everyMs = 10_000,
): History {
  const history = new History()
  for (let i = 0; i < count; i++) history.add(sampleWith(START_MS + i * everyMs, differs(i, i * everyMs)))
  return history
}

/** Facts of which the rules over time take pid, threads and, where there is one, the heap. */
export const FACTS: Facts = {
  kind: 'live',
  pid: 6,
  threads: 9,
  heap: null,
  categories: [],
  ledger: null,
  surroundings: null,
  mappings: 0,
  executableHeaps: [],
  anonymous: [],
}

export function findingsOf(history: History): readonly Finding[] {
  return watchFindings({ points: history.points, now: FACTS })
}

/** The number behind a label. */
export function evidence(finding: Finding, label: string): number {
  const { value } = finding.evidence.find((one) => one.label === label) ?? { value: null }
  if (typeof value !== 'number') throw new Error(`${label} is ${value}`)
  return value
}
