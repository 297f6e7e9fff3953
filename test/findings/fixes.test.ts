// The exact text of fixes does what it says on real glibcs, 2.31 to 2.44, amd64 and i386, dynamic and static.
import t from 'tap'
import type { Facts } from '../../src/findings/facts.js'
import { fixesFor, type SETTINGS } from '../../src/findings/fixes.js'
import type { HeapModel } from '../../src/malloc/heap-model.js'
import { openSession } from '../../src/session/open-session.js'
import { ARCHITECTURES, buildOf, compileFor, fetchedSuites, gdbFor, RELEASES } from '../matrix/glibcs.js'
import { start } from '../support/programs.js'

const suites = await fetchedSuites()

const VALUES = {
  arenaMax: 3,
  trimThreshold: 1 << 18,
  topPad: 1 << 16,
  mmapThreshold: 1 << 19,
  mmapMax: 77,
  tcacheCount: 1,
} as const satisfies Record<keyof typeof SETTINGS, number>
// Of a static program without symbols mp_ is found by its defaults: one setting at a time.
const STATIC = { arenaMax: 3 }
const NAMES = Object.keys(VALUES) as (keyof typeof VALUES)[]
const EXPECTED = {
  arenaMax: 3,
  trimThresholdBytes: 1 << 18,
  topPadBytes: 1 << 16,
  mmapThresholdBytes: 1 << 19,
  mmapsMost: 77,
  dynamicThreshold: false,
}

// Frees several chunks of one size into the tcache.
const program = (calls: readonly string[]) => `#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
  ${calls.map((call) => `${call};`).join(' ')}
  void *chunks[6];
  for (int i = 0; i < 6; i++) chunks[i] = malloc(200);
  malloc(5000);
  for (int i = 0; i < 6; i++) free(chunks[i]);
  printf("ready\\n");
  fflush(stdout);
  for (;;) pause();
}
`

function factsOf(version: string): Facts {
  const heap = { glibc: { version } } as HeapModel
  const nothing = { ledger: null, surroundings: null, mappings: 0, executableHeaps: [], anonymous: [] }
  return { kind: 'core', pid: null, threads: 1, heap, categories: [], ...nothing }
}

/** Texts of one kind for all settings. */
function textsOf(how: 'environment' | 'tunable' | 'mallopt', version: string): readonly string[] {
  const all = NAMES.flatMap((name) => fixesFor(name, VALUES[name], factsOf(version), ''))
  return all.filter((fix) => fix.how === how).map(({ text }) => text)
}

async function modelOf(path: string, env: NodeJS.ProcessEnv, gdbPath: string): Promise<HeapModel> {
  const running = await start(path, [], { env })
  const session = await openSession({ kind: 'live', pid: running.pid }, { gdbPath })
  const { model } = session.measurement.malloc!
  await session.close()
  await running.kill()
  return model
}

const cached = ({ totals }: HeapModel) => totals.tcacheChunks

for (const architecture of ARCHITECTURES) {
  for (const release of RELEASES) {
    for (const linkage of release === RELEASES[0]
      ? (['dynamic', 'static'] as const)
      : (['dynamic'] as const)) {
      const name = `glibc ${release} ${architecture} ${linkage}`
      const build = buildOf(suites, release, architecture)
      if (typeof build === 'string') {
        t.pass(name, { skip: build })
        continue
      }
      t.test(name, async (t) => {
        const gdb = gdbFor(build)
        const plain = compileFor(build, program([]), linkage)
        const untouched = await modelOf(plain, {}, gdb)
        t.match(untouched.parameters, {
          arenaMax: 0,
          topPadBytes: 1 << 17,
          mmapsMost: 65536,
          dynamicThreshold: true,
        })
        t.ok(cached(untouched)! >= 6, `${cached(untouched)} chunks in the tcache`)

        if (linkage === 'static') {
          const [arenaMax, tunable] = fixesFor('arenaMax', 3, factsOf(release), '')
          for (const { text } of [arenaMax!, tunable!]) {
            const [name, ...value] = text.split('=')
            const model = await modelOf(plain, { [name!]: value.join('=') }, gdb)
            t.match(model.parameters, STATIC, text)
          }
          return
        }
        const variables = textsOf('environment', release).map((text) => text.split('=') as [string, string])
        t.equal(variables.length, 5)
        t.match((await modelOf(plain, Object.fromEntries(variables), gdb)).parameters, EXPECTED, 'variables')

        const [tunables, ...more] = textsOf('tunable', release).map((text) =>
          text.slice('GLIBC_TUNABLES='.length),
        )
        const tuned = await modelOf(plain, { GLIBC_TUNABLES: [tunables, ...more].join(':') }, gdb)
        t.match(tuned.parameters, EXPECTED, 'tunables')
        t.ok(cached(tuned)! < cached(untouched)!, `tcache_count: ${cached(tuned)} chunks in the tcache`)
        t.ok(
          tuned.caches.every(({ bins }) => bins.every(({ chunks }) => chunks <= VALUES.tcacheCount)),
          'one of each size',
        )

        const calls = textsOf('mallopt', release)
        t.equal(calls.length, 5)
        t.match(
          (await modelOf(compileFor(build, program(calls), linkage), {}, gdb)).parameters,
          EXPECTED,
          'mallopt',
        )
      })
    }
  }
}
