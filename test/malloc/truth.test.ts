// Our figures against glibc's own, byte for byte: live and core, with gdb's symbols and without.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../src/report/report.js'
import { openSession } from '../../src/session/open-session.js'
import type { TargetChoice } from '../../src/target/open.js'
import { asTruth, glibcTruth, withoutNames } from '../support/glibc-truth.js'
import { compile, gcore, kernelCore, kernelCores, type Running, scratch, start } from '../support/programs.js'

async function reportOf(choice: TargetChoice, useGdb: boolean, gdbOnlyInDoubt = false): Promise<Report> {
  const session = await openSession(choice, { useGdb, gdbOnlyInDoubt })
  try {
    return session.report
  } finally {
    await session.close()
  }
}

/** What a core and a live report of the same still process share. */
function heapAndTotals(report: Report) {
  return { heap: withoutNames(report.heap), glibc: report.target.glibc, threads: report.target.threads }
}

// gdb writes each page of a mapping, whether it was in RAM or not.
function withoutResidency(report: Report) {
  const { heap, ...rest } = heapAndTotals(report)
  const { totals, arenas, ...more } = heap as NonNullable<Report['heap']>
  const bare = arenas.map(({ resident: _, trimReturnsBytes: __, ...arena }) => arena)
  return { ...rest, heap: { ...more, arenas: bare, totals: { ...totals, trimReturnsBytes: null } } }
}

async function compare(
  t: Test,
  running: Running,
  folder: string,
  out: string,
  found: { withGdb: string; without: string } = { withGdb: 'debug-info', without: 'table' },
): Promise<Report> {
  const truth = glibcTruth(`${out}.xml`, `${out}.txt`)
  const live = await reportOf({ kind: 'live', pid: running.pid }, true)
  t.same(asTruth(live), truth, 'live, with symbols')
  t.equal(live.target.glibc?.layoutFrom, found.withGdb)
  t.ok(live.complete, 'live report is complete')
  const probed = await reportOf({ kind: 'live', pid: running.pid }, false)
  t.same(asTruth(probed), truth, 'live, layout from memory')
  t.equal(probed.target.glibc?.layoutFrom, found.without)
  t.same(
    probed.heap!.arenas.map(({ address, heaps }) => ({ address, heaps })),
    live.heap!.arenas.map(({ address, heaps }) => ({ address, heaps })),
    'the same arenas and heaps with and without symbols',
  )
  if (kernelCores()) {
    const path = await kernelCore(running, folder, 'core.shape')
    const core = await reportOf({ kind: 'core', path }, true)
    t.same(heapAndTotals(core), heapAndTotals(live), 'core and live agree')
    const bare = await reportOf({ kind: 'core', path }, false)
    t.same(asTruth(bare), truth, 'core, layout from memory')
    const sure = await reportOf({ kind: 'core', path }, true, true)
    t.same(withoutNames(sure.heap), withoutNames(core.heap), 'core, gdb only in doubt: the same heap')
    t.equal(sure.target.glibc?.layoutFrom, found.without, 'there is no doubt')
  } else {
    t.pass('kernel core', { skip: 'core_pattern sends cores elsewhere on this machine' })
    await running.kill()
  }
  return live
}

const SHAPES = ['main-only', 'fastbins', 'many-heaps', 'foreign-sbrk', 'noncontiguous', 'mmapped', 'arenas']

for (const shape of SHAPES) {
  t.test(shape, async (t) => {
    const folder = scratch()
    const out = join(folder, 'out')
    const running = await start(compile('test/programs/heap-shapes.c'), [shape, out], { cwd: folder })
    const report = await compare(t, running, folder, out)
    const { arenas } = report.heap!
    if (shape === 'many-heaps')
      t.ok(
        arenas.some((arena) => arena.heaps.length > 2),
        'an arena of several heaps',
      )
    if (shape === 'fastbins')
      t.ok(
        arenas.every((arena) => arena.fastbinBytes! > 0),
        'fastbins are filled',
      )
    const held = arenas[0]!.heaps.reduce((sum, heap) => sum + heap.sizeBytes, 0)
    if (shape === 'noncontiguous') {
      t.ok(arenas[0]!.heaps.length > 3, 'the main heap is in pieces')
      t.equal(held, arenas[0]!.systemBytes, 'all pieces are found')
    }
    if (shape === 'foreign-sbrk') {
      t.equal(arenas[0]!.heaps.length, 2, 'two pieces around the foreign memory')
      t.ok(held < arenas[0]!.systemBytes!, 'which is counted, but not placed, in the heap')
    }
  })
}

for (const shape of ['main-only', 'arenas', 'foreign-sbrk', 'mmapped', 'fastbins']) {
  t.test(`statically linked: ${shape}`, async (t) => {
    const folder = scratch()
    const out = join(folder, 'out')
    const program = compile('test/programs/heap-shapes.c', ['-static'])
    const running = await start(program, [shape, out], { cwd: folder })
    await compare(t, running, folder, out, { withGdb: 'probe', without: 'probe' })
  })
}

for (const [arenas, mib] of [
  [16, '3'],
  [64, '2'],
  [3, '70'],
] as const) {
  t.test(`the incident with ${arenas} arenas of ${mib} MiB`, async (t) => {
    const folder = scratch()
    const out = join(folder, 'out')
    const program = compile('examples/programs/arena-bloat.c')
    const running = await start(program, [String(arenas), mib, '1', 'log:16:4096', out], { cwd: folder })
    const truth = glibcTruth(`${out}.malloc_info.xml`, `${out}.malloc_stats.txt`)
    const live = await reportOf({ kind: 'live', pid: running.pid }, true)
    t.same(asTruth(live), truth, 'live')
    t.equal(live.heap!.arenas.length, arenas)
    if (mib === '70') t.ok(live.heap!.arenas.slice(1).every((arena) => arena.heaps.length >= 2))
    // gdb 13's gcore writes the reserved address space too: 64 MiB an arena, so only where arenas are few.
    if (arenas <= 16) {
      const dumped = gcore(running.pid, join(folder, 'core.gdb'))
      const fromGcore = await reportOf({ kind: 'core', path: dumped }, true)
      t.same(withoutResidency(fromGcore), withoutResidency(live), "gdb's gcore and live agree")
      t.equal(fromGcore.ledger, null, 'a file without holes says nothing of what was in RAM')
    }
    if (kernelCores()) {
      const path = await kernelCore(running, folder, 'core.incident')
      t.same(
        heapAndTotals(await reportOf({ kind: 'core', path }, true)),
        heapAndTotals(live),
        'core and live agree',
      )
    } else {
      t.pass('kernel core', { skip: 'core_pattern sends cores elsewhere on this machine' })
      await running.kill()
    }
  })
}
