// Static, stripped programs of the oldest glibc, amd64 and i386: malloc is found in the program itself.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { hex } from '../../src/memory/address.js'
import { openSession } from '../../src/session/open-session.js'
import type { TargetChoice } from '../../src/target/open.js'
import { differencesFrom } from '../support/glibc-truth.js'
import { kernelCores, scratch, start } from '../support/programs.js'
import { coreOf } from './check-glibc.js'
import { ARCHITECTURES, buildOf, compileFor, fetchedSuites, RELEASES, symbolOffsets } from './glibcs.js'

// Fetching comes first on a machine that has nothing yet.
const suites = await fetchedSuites()

for (const architecture of ARCHITECTURES) {
  for (const shape of ['arenas', 'many-heaps', 'foreign-sbrk', 'noncontiguous', 'mmapped']) {
    const name = `${shape}, static, ${architecture}`
    const build = buildOf(suites, RELEASES[0], architecture)
    if (typeof build === 'string') {
      t.pass(name, { skip: build })
      continue
    }
    t.test(name, async (t) => {
      const folder = scratch()
      const out = join(folder, 'out')
      const whole = compileFor(build, 'test/programs/heap-shapes.c', 'static')
      const program = join(folder, 'stripped')
      execFileSync('strip', [whole, '-o', program])
      const symbols = symbolOffsets(whole)
      const check = async (name: string, choice: TargetChoice) => {
        const session = await openSession(choice, { useGdb: false })
        const { glibc, anomalies, ...model } = session.measurement.malloc!.model
        t.equal(hex(glibc.mainArena), hex(symbols.mainArena), `${name}: main_arena`)
        t.equal(glibc.mallocPar, symbols.mallocPar, `${name}: mp_`)
        t.same(differencesFrom(model, `${out}.xml`, `${out}.txt`), [], `${name}: glibc's own figures`)
        t.same(anomalies, [], `${name}: no anomalies`)
        await session.close()
      }
      const running = await start(program, [shape, out], { cwd: folder })
      await check('live', { kind: 'live', pid: running.pid })
      if (kernelCores()) {
        await check('core', { kind: 'core', path: await coreOf(running, running.pid, folder) })
      } else t.pass('core', { skip: 'core_pattern sends cores elsewhere on this machine' })
    })
  }
}
