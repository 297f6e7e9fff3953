// A core can be looked at before its heaps are read, and what is known at the end is what would be known without that.
import { join } from 'node:path'
import t from 'tap'
import { address, hex } from '../../src/memory/address.js'
import type { Report } from '../../src/report/report.js'
import { openSession, type TargetSession } from '../../src/session/open-session.js'
import { STILL_READING } from '../../src/session/provisional.js'
import { compile, gcore, scratch, start } from '../support/programs.js'

t.test('before the heaps are read', async (t) => {
  const folder = scratch()
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, ['5', '2', '50', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const core = gcore(running.pid, join(folder, 'core.early'))
  await running.kill()

  const seen: Report[] = []
  let early: TargetSession | null = null
  const session = await openSession(
    { kind: 'core', path: core },
    {
      useGdb: false,
      early(first) {
        early = first
        seen.push(first.report)
        const [piece] = first.pieces
        t.equal(first.read(piece!.start, 4).known.length, 4, 'memory can be read')
        t.same([...first.chunkBatches({})], [], 'no chunk is told yet')
        t.same([...first.search('core.early', null, 1)].at(-1)?.fraction, 1, 'and searched')
      },
      progress(_done, _known, glimpses) {
        seen.push(early!.report)
        t.same(
          early!.report.heap?.arenas.map(({ address: at, systemBytes }) => [at, systemBytes]),
          glimpses.map(({ address: at, systemBytes }) => [hex(at), systemBytes]),
          'the arenas are there by their headers',
        )
      },
    },
  )
  t.teardown(() => session.close())
  t.equal(session, early, 'it is the same session')
  t.ok(seen.length >= 6, 'it was told after each arena')
  for (const report of seen) t.match(report, { complete: false, problems: [STILL_READING], findings: [] })
  t.equal(seen[0]!.heap, null)
  t.notOk(session.report.problems.includes(STILL_READING))
  t.equal(
    session.describe(address(BigInt(session.report.heap!.arenas[1]!.heaps[0]!.address))).lines.length,
    2,
  )

  const plain = await openSession({ kind: 'core', path: core }, { useGdb: false })
  t.same(session.report, plain.report, 'the same report at the end')
  await plain.close()
})
