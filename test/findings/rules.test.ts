// The rules over facts: when they speak, how gravely, and with which numbers.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Facts } from '../../src/findings/facts.js'
import { findingsOf, RULES, reaches } from '../../src/findings/rules.js'
import { limitsOf } from '../../src/findings/thresholds.js'
import type { Arena, ArenaResidency, HeapModel, MallocParameters } from '../../src/malloc/heap-model.js'
import { address } from '../../src/memory/address.js'
import type { Surroundings } from '../../src/target/target.js'
import { ROOT } from '../support/programs.js'

const MIB = 2 ** 20
const UNKNOWN = {
  liveBytes: null,
  usedChunks: null,
  tcacheBytes: null,
  tcacheChunks: null,
  overheadBytes: null,
  largestFreeBytes: null,
  sizes: null,
  resident: null,
  trimReturnsBytes: null,
}
const NO_TOTALS = {
  liveBytes: null,
  usedChunks: null,
  tcacheBytes: null,
  tcacheChunks: null,
  overheadBytes: null,
  largestFreeBytes: null,
  trimReturnsBytes: null,
  fastbinBytes: null,
  binnedBytes: null,
  topBytes: null,
}
const NOTHING = { ledger: null, surroundings: null, mappings: 0, executableHeaps: [], anonymous: [] }

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
    parameters: null,
    mmapped: { count: 0, bytes: 0, maxBytes: 0, found: [] },
    totals: { ...NO_TOTALS, systemBytes, inUseBytes, freeBytes: systemBytes - inUseBytes },
    threads: [],
    caches: [],
    allCachesFound: false,
    anomalies: [],
    ...more,
  }
  return { kind: 'core', pid: 6, threads: 531, heap, categories: [], ...NOTHING }
}

const rulesOf = (input: Facts) =>
  findingsOf(input)
    .filter(({ rule }) => rule !== 'idle-arenas')
    .map(({ rule, severity }) => `${severity} ${rule}`)

t.test('the incident', async (t) => {
  const [bloat, overflow] = findingsOf(facts(64, 12800 * MIB, 128 * MIB)).filter(
    ({ rule }) => rule !== 'idle-arenas',
  )
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
  t.same(findingsOf({ kind: 'core', pid: null, threads: 1, heap: null, categories: [], ...NOTHING }), [])
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

const SURROUNDINGS: Surroundings = {
  onlineCpus: 64,
  allowedCpus: 64,
  quotaCpus: 3.5,
  memoryLimitBytes: null,
  memoryUsedBytes: null,
  mostMappings: 65530,
  mallocEnvironment: [['GLIBC_TUNABLES', 'glibc.malloc.arena_max=99:glibc.malloc.tcache_count=0']],
}
const PARAMETERS: MallocParameters = {
  trimThresholdBytes: 2 ** 17,
  topPadBytes: 2 ** 17,
  mmapThresholdBytes: 2 ** 17,
  arenaTest: 8,
  arenaMax: 0,
  mmapsMost: 65536,
  dynamicThreshold: true,
}
const textsOf = (input: Facts, rule: string) =>
  findingsOf(input)
    .find((finding) => finding.rule === rule)
    ?.fixes?.map(({ how, text }) => `${how} ${text}`)

t.test('the fix of arena bloat', async (t) => {
  const core = facts(64, 12800 * MIB, 128 * MIB)
  t.same(textsOf(core, 'arena-bloat'), [
    'environment MALLOC_ARENA_MAX=8',
    'tunable GLIBC_TUNABLES=glibc.malloc.arena_max=8',
    'mallopt mallopt(M_ARENA_MAX, 8)',
  ])
  const old = { ...core, heap: { ...core.heap!, glibc: { ...core.heap!.glibc, version: '2.17' } } }
  t.same(
    textsOf(old, 'arena-bloat'),
    ['environment MALLOC_ARENA_MAX=8', 'mallopt mallopt(M_ARENA_MAX, 8)'],
    'glibc 2.17 has no tunables',
  )
  const totals = { ...core.heap!.totals, trimReturnsBytes: 5 * MIB }
  const live: Facts = {
    ...core,
    kind: 'live',
    heap: { ...core.heap!, totals },
    surroundings: SURROUNDINGS,
  }
  t.same(
    textsOf(live, 'arena-bloat'),
    [
      'command arena-inspect trim --pid 6',
      'environment MALLOC_ARENA_MAX=4',
      'tunable GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=4',
      'mallopt mallopt(M_ARENA_MAX, 4)',
    ],
    'four for a quota of 3.5 CPUs; the other tunables stay',
  )
  const [bloat] = findingsOf(live)
  t.match(bloat!.fixes![1]!.note, /^12\.5 GiB → about .* to .*; 4 CPU quota: an arena for each$/)
  const { lowBytes, highBytes, nowBytes, mostBytes } = bloat!.estimate!
  // 2 MiB in use in each of 64 arenas that hold 200: what stays, and 198 MiB of free memory an arena.
  t.equal(nowBytes, 12800 * MIB)
  t.equal(lowBytes, (128 + 3 * 198) * MIB)
  t.equal(highBytes, (128 + 4 * 2 * 198) * MIB)
  t.equal(mostBytes, 12800 * MIB)
})

t.test('the trap of a CPU quota', async (t) => {
  const trapped: Facts = {
    ...facts(64, 100 * MIB, 80 * MIB, { parameters: PARAMETERS }),
    surroundings: SURROUNDINGS,
  }
  t.same(rulesOf(trapped), ['warning cpu-quota'])
  const evidence = findingsOf(trapped)[0]!.evidence.map(({ value }) => value)
  t.same(evidence, [64, 32, 512, 64, 64, '3.5 CPUs', 20 * MIB])
  t.same(rulesOf({ ...trapped, surroundings: { ...SURROUNDINGS, quotaCpus: 8 } }), [], '64 arenas for 8 CPUs')
  t.same(rulesOf({ ...trapped, surroundings: { ...SURROUNDINGS, quotaCpus: null } }), [], 'no quota')
  t.same(
    rulesOf({ ...trapped, surroundings: { ...SURROUNDINGS, quotaCpus: null, allowedCpus: 2 } }),
    ['warning cpu-quota'],
    'a small CPU set',
  )
  const set = { ...trapped, heap: { ...trapped.heap!, parameters: { ...PARAMETERS, arenaMax: 64 } } }
  t.same(rulesOf(set), [], 'it was asked for')
})

t.test('one cause is told once', async (t) => {
  const share = 200 * MIB
  const resident: ArenaResidency = {
    liveBytes: 0,
    tcacheBytes: 0,
    fastbinBytes: 0,
    trimmableBytes: share / 4,
    pinnedBytes: share / 2,
    topBytes: share / 4,
    overheadBytes: 0,
    reservedBytes: 0,
  }
  const many = facts(64, 64 * share, 64 * MIB)
  const heap = { ...many.heap!, arenas: many.heap!.arenas.map((arena) => ({ ...arena, resident })) }
  const found = findingsOf({ ...many, heap })
  t.same(
    found.filter(({ severity }) => severity !== 'info').map(({ rule }) => rule),
    ['arena-bloat'],
    'the rest follows from it',
  )
  for (const rule of ['idle-arenas', 'pinned-fragmentation', 'trimmable-free', 'large-top']) {
    t.ok(
      found.some((finding) => finding.rule === rule),
      `${rule} is still told, for information`,
    )
  }
  const few = { ...heap, arenas: heap.arenas.slice(0, 4).map((arena) => ({ ...arena, attachedThreads: 1 })) }
  t.same(
    rulesOf({ ...many, heap: few })
      .filter((one) => one.startsWith('warning'))
      .sort(),
    ['warning large-top', 'warning pinned-fragmentation', 'warning trimmable-free'],
    'with few arenas they stand for themselves',
  )
})

t.test('mappings near the kernel’s limit', async (t) => {
  const at = (mappings: number): Facts => ({ ...facts(1, MIB, MIB), mappings, surroundings: SURROUNDINGS })
  t.same(rulesOf(at(50_000)), [])
  t.same(rulesOf(at(55_000)), ['warning mmapped-near-limit'])
  t.same(rulesOf(at(65_000)), ['critical mmapped-near-limit'])
  t.match(textsOf(at(65_000), 'mmapped-near-limit'), ['command sysctl -w vm.max_map_count=131060'])
})

t.test('damage is critical; what moved or was not saved is no damage', async (t) => {
  const anomaly = (code: string, what: string) =>
    facts(1, MIB, MIB, { anomalies: [{ at: address(0x1000n), code, what }] })
  t.same(rulesOf(anomaly('walk-stopped', 'size field is 0')), ['critical corruption'])
  t.same(rulesOf(anomaly('arena-moving', 'changed')), [])
  const compared = anomaly('lists-exceed-used', 'more than look in use')
  t.same(rulesOf(compared), ['critical corruption'], 'a core stands still')
  t.same(rulesOf({ ...compared, kind: 'live' }), [], 'a live process may have moved')
  t.same(rulesOf(anomaly('walk-stopped', '0x1000 not saved in the core file')), [])
  t.same(rulesOf(anomaly('malloc-par-unknown', 'not found')), [])
})

t.test('explanations', async (t) => {
  t.equal(new Set(RULES.map(({ name }) => name)).size, RULES.length)
  for (const rule of RULES) {
    const { name } = rule
    const explanation = rule.explain(limitsOf(rule, undefined))
    const { measures, how, thresholds, read } = explanation
    t.ok(measures && how && thresholds.length > 0 && read.length > 0, name)
    t.notMatch(JSON.stringify(explanation), /undefined|NaN|\[object/, name)
    const source = readFileSync(join(ROOT, `src/findings/rules/${name}.ts`), 'utf8')
    const text = source.slice(source.indexOf('explain:'), source.indexOf('\nfunction check'))
    for (const threshold of Object.keys(rule.thresholds)) {
      t.ok(text.includes(`limits.${threshold}`), `${name} tells ${threshold}`)
    }
  }
})
