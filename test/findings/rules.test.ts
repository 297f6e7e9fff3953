// The rules over facts: when they speak, how gravely, and with which numbers.
import t from 'tap'
import type { Facts } from '../../src/findings/facts.js'
import { findingsOf, reaches } from '../../src/findings/rules.js'
import type { Arena, HeapModel } from '../../src/malloc/heap-model.js'
import { address } from '../../src/memory/address.js'

const MIB = 2 ** 20
const UNKNOWN = {
  liveBytes: null,
  usedChunks: null,
  tcacheBytes: null,
  tcacheChunks: null,
  overheadBytes: null,
  largestFreeBytes: null,
  sizes: null,
}
const NO_TOTALS = { ...UNKNOWN, fastbinBytes: null, binnedBytes: null, topBytes: null }

function facts(count: number, systemBytes: number, inUseBytes: number, more: Partial<HeapModel> = {}): Facts {
  const arenas = Array.from({ length: count }, (_, index) => {
    const arena: Arena = {
      index,
      address: address(0x7f0000000030 + index * 64 * MIB),
      isMain: index === 0,
      heaps: [],
      systemBytes: systemBytes / count,
      maxSystemBytes: systemBytes / count,
      inUseBytes: inUseBytes / count,
      freeBytes: (systemBytes - inUseBytes) / count,
      fastbinBytes: 0,
      binnedBytes: (systemBytes - inUseBytes) / count,
      topBytes: 0,
      top: null,
      freeChunks: 1,
      attachedThreads: index % 2,
      ...UNKNOWN,
      complete: true,
    }
    return arena
  })
  const heap: HeapModel = {
    glibc: { version: '2.36', layoutFrom: 'debug-info', mainArena: arenas[0]!.address, mallocPar: null },
    arenas,
    ringClosed: true,
    mmapped: { count: 0, bytes: 0, maxBytes: 0, found: [] },
    totals: { ...NO_TOTALS, systemBytes, inUseBytes, freeBytes: systemBytes - inUseBytes },
    threads: [],
    caches: [],
    allCachesFound: false,
    anomalies: [],
    ...more,
  }
  return { kind: 'core', pid: 6, threads: 531, heap, categories: [] }
}

const rulesOf = (input: Facts) => findingsOf(input).map(({ rule, severity }) => `${severity} ${rule}`)

t.test('the incident', async (t) => {
  const [bloat, overflow] = findingsOf(facts(64, 12800 * MIB, 128 * MIB))
  t.match(bloat, {
    rule: 'arena-bloat',
    severity: 'critical',
    title: '64 arenas hold 12.5 GiB and use 1.0 % of it: 12.3 GiB is free memory that malloc keeps',
    nextStep: /^set MALLOC_ARENA_MAX=8 .*restart it; the default limit is 8 arenas per CPU/,
  })
  const evidence = Object.fromEntries(
    bloat!.evidence.map(({ label, value, unit }) => [`${label} ${unit}`, value]),
  )
  t.match(evidence, {
    'arenas count': 64,
    'threads count': 531,
    'arenas without a thread count': 32,
    'in use percent': 1,
  })
  t.match(overflow, { rule: 'malloc-stats-overflow', severity: 'info' })
  t.match(overflow!.title, `it would say ${(12800 * MIB) % 2 ** 32}, the sum is ${12800 * MIB}`)
})

t.test('when arena bloat is told', async (t) => {
  t.same(rulesOf(facts(64, 500 * MIB, 20 * MIB)), ['warning arena-bloat'], 'little memory')
  t.same(rulesOf(facts(64, 3000 * MIB, 1000 * MIB)), ['warning arena-bloat'], 'a third is used')
  t.same(rulesOf(facts(64, 3000 * MIB, 1600 * MIB)), [], 'more than half is used')
  t.same(rulesOf(facts(7, 3000 * MIB, 10 * MIB)), [], 'few arenas')
  t.same(rulesOf(facts(64, 60 * MIB, 1 * MIB)), [], 'too little to matter')
  t.same(rulesOf(facts(1, 0, 0)), [], 'an empty heap')
  const unknown = { totals: { ...NO_TOTALS, systemBytes: null, inUseBytes: null, freeBytes: null } }
  t.same(rulesOf(facts(64, 3000 * MIB, 10 * MIB, unknown)), [], 'nothing is said of unknown totals')
  t.same(findingsOf({ kind: 'core', pid: null, threads: 1, heap: null, categories: [] }), [])
  const newest = facts(64, 3000 * MIB, 10 * MIB)
  const heap = { ...newest.heap!, glibc: { ...newest.heap!.glibc, version: '2.44' } }
  t.match(findingsOf({ ...newest, heap })[0]!.nextStep, /the default limit is an arena per CPU, 8 at least/)
})

t.test('when the overflow is told', async (t) => {
  const mmapped = (bytes: number | null) => ({ mmapped: { count: 1, bytes, maxBytes: bytes, found: [] } })
  t.same(rulesOf(facts(1, 2 ** 32 - 1, 1)), [])
  t.same(
    rulesOf(facts(1, 2 ** 32 - 1, 1, mmapped(1))),
    ['info malloc-stats-overflow'],
    'mmapped chunks count too',
  )
  t.same(rulesOf(facts(1, 2 ** 33, 1, mmapped(null))), [], 'unknown is not guessed')
})

t.test('severity', async (t) => {
  t.ok(reaches('critical', 'warning'))
  t.ok(reaches('info', 'info'))
  t.notOk(reaches('warning', 'critical'))
})
