// aarch64: processes under qemu-user, whose cores of the guest are held against the guest's own figures.
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { minorVersion } from '../../src/malloc/layout.js'
import { openSession } from '../../src/session/open-session.js'
import { differencesFrom } from '../support/glibc-truth.js'
import { ROOT, scratch, start } from '../support/programs.js'
import { differencesFromOwnCount } from './own-count.js'

const COMPILER = 'aarch64-linux-gnu-gcc'
const EMULATOR = 'qemu-aarch64'
const LIBRARIES = '/usr/aarch64-linux-gnu'

const missing = [COMPILER, EMULATOR].filter((command) => spawnSync(command, ['--version']).error)
if (!existsSync(join(LIBRARIES, 'include/malloc.h'))) missing.push('libc6-dev-arm64-cross')

if (missing.length > 0) {
  t.pass('aarch64', {
    skip: `not here: ${missing.join(', ')} (apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)`,
  })
} else {
  const build = scratch()
  const program = join(build, 'heap-shapes')
  execFileSync(COMPILER, [
    '-g',
    '-O1',
    '-pthread',
    '-DCOUNT',
    join(ROOT, 'test/programs/heap-shapes.c'),
    '-o',
    program,
  ])
  const libc = readdirSync(join(LIBRARIES, 'lib')).includes('libc.so.6')
    ? execFileSync('strings', ['-n', '20', join(LIBRARIES, 'lib/libc.so.6')], { encoding: 'utf8' })
    : ''
  const release = /release version (2\.\d+)/.exec(libc)?.[1] ?? null
  // Cores of qemu-user name no mapped files: malloc is found by the heaps of other arenas than main_arena, and tcaches by
  // their content, which tells those that hold chunks.
  for (const shape of ['fastbins', 'tcache', 'many-heaps', 'arenas']) {
    t.test(shape, async (t) => {
      const folder = scratch()
      const out = join(folder, 'out')
      const running = await start(EMULATOR, ['-L', LIBRARIES, program, shape, out], { cwd: folder })
      const ended = once(running.child, 'exit')
      process.kill(Number(running.line), 'SIGABRT')
      await ended
      const core = readdirSync(folder).find((name) => /^qemu_.*\.core$/.test(name))
      if (core === undefined) {
        t.fail('qemu-user wrote a core of the guest')
        return
      }
      const session = await openSession({ kind: 'core', path: join(folder, core) }, { useGdb: false })
      try {
        const { malloc, report } = session.measurement
        if (!malloc) {
          t.fail('malloc was found', { problems: report.problems })
          return
        }
        const { model } = malloc
        t.equal(session.target.machine, 'aarch64')
        t.same(differencesFrom(model, `${out}.xml`, `${out}.txt`), [], "glibc's own figures")
        t.same(differencesFrom(report.heap!, `${out}.xml`, `${out}.txt`), [], "the report's too")
        t.same(model.anomalies, [], 'no anomalies')
        if (shape === 'many-heaps') {
          t.ok(
            model.arenas.some(({ heaps }) => heaps.length > 2),
            'an arena of several heaps',
          )
          return
        }
        const minor = minorVersion(release)
        if (minor === null)
          t.pass("the program's own count", { skip: 'the version of this glibc is unknown' })
        else {
          const structs = minor < 43 ? 'allocating' : 'freeing'
          const counted = differencesFromOwnCount(session.target, malloc, `${out}.json`, minor, structs)
          t.same(counted, [], "the program's own count of its blocks")
        }
      } finally {
        await session.close()
      }
    })
  }
}
