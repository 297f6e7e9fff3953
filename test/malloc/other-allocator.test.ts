// Programs whose malloc is not glibc's: real ones, live and as cores; the sentence, the maps, and glibc's arenas beside.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bytesText } from '../../src/format/sizes.js'
import { detectAllocator } from '../../src/malloc/detect/other-allocator.js'
import { isGlibcUnused } from '../../src/malloc/detect/unused-arena.js'
import { freeBytesOf, parseMallocInfo } from '../../src/malloc/malloc-info.js'
import { openSession } from '../../src/session/open-session.js'
import { openLive } from '../../src/target/live/open-live.js'
import type { TargetChoice } from '../../src/target/open.js'
import { arenaInspect } from '../support/command.js'
import { packageFiles } from '../support/debian-packages.js'
import { compile, gcore, type Running, scratch, start } from '../support/programs.js'

const folder = scratch()

const PLAIN = `
  #include <stdio.h>
  #include <stdlib.h>
  #include <unistd.h>
  static volatile char *keep[200];
  int main(void) {
    for (int i = 0; i < 200; i++) { keep[i] = malloc(100 + i * 200); *keep[i] = 1; }
    free((void *)keep[7]); puts("ready"); fflush(stdout); for (;;) pause();
  }`

// Asks libc itself, which the allocator in front of it does not see; malloc_info tells what it then holds.
const BOTH = `
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <malloc.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <unistd.h>
  static volatile char *keep[200];
  int main(int argc, char **argv) {
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    void *(*glibc_malloc)(size_t) = dlsym(libc, "__libc_malloc");
    void (*glibc_free)(void *) = dlsym(libc, "__libc_free");
    for (int i = 0; i < 200; i++) { keep[i] = malloc(100 + i * 200); *keep[i] = 1; }
    void *own[300]; for (int i = 0; i < 300; i++) own[i] = glibc_malloc(2000 + i * 16);
    for (int i = 0; i < 300; i += 3) glibc_free(own[i]);
    FILE *info = fopen(argv[1], "w"); malloc_info(0, info); fclose(info);
    puts("ready"); fflush(stdout); for (;;) pause();
  }`

/** Live and as a core: each is looked at in the same way. */
async function both(
  t: Test,
  running: Running,
  look: (t: Test, choice: TargetChoice) => Promise<void>,
): Promise<void> {
  const core = gcore(running.pid, join(folder, `core.${running.pid}`))
  await t.test('live', (t) => look(t, { kind: 'live', pid: running.pid }))
  const maps = await arenaInspect(['maps', '--no-gdb', '--pid', String(running.pid)])
  t.equal(maps.code, 0, 'maps of it works')
  t.match(maps.stdout, /\ball\b/)
  await running.kill()
  await t.test('core', (t) => look(t, { kind: 'core', path: core }))
  const report = await arenaInspect(['report', '--no-gdb', core])
  t.equal(report.code, 0, 'a report of it works')
}

interface Expected {
  readonly sentence: RegExp
  readonly complete: boolean
  readonly name: string
  readonly glibc: 'used' | 'unused' | 'absent'
}

function looker(expected: Expected, infoFile?: string) {
  return async (t: Test, choice: TargetChoice) => {
    for (const useGdb of [true, false]) {
      const session = await openSession(choice, { useGdb })
      try {
        const { report } = session
        const how = useGdb ? 'with gdb' : 'without gdb'
        t.match(report.problems.join('\n'), expected.sentence, how)
        t.equal(report.complete, expected.complete, `${how}: ${report.problems.join('; ')}`)
        t.notMatch(report.problems.join('\n'), expected.glibc === 'absent' ? /libc6-dbg/ : /no glibc malloc/)
        const finding = report.findings.find(({ rule }) => rule === 'other-allocator')
        t.equal(finding?.severity, 'info')
        t.match(finding?.evidence, [{ label: 'allocator', value: expected.name }, { label: 'seen by' }])
        t.ok(report.maps.categories.length > 3, 'the maps are there')
        if (infoFile === undefined) continue
        const truth = parseMallocInfo(readFileSync(infoFile, 'utf8')).heaps
        t.same(
          report.heap?.arenas.map((arena) => arena.systemBytes),
          truth.map((heap) => heap.systemBytes),
          "glibc's arenas are what malloc_info says",
        )
        t.same(
          report.heap?.arenas.map((arena) => arena.freeBytes),
          truth.map(freeBytesOf),
          'and so is what is free in them',
        )
        t.ok(
          report.problems.join('\n').includes(`glibc's arenas hold ${bytesText(truth[0]!.systemBytes)}`),
          'the sentence says how much',
        )
      } finally {
        await session.close()
      }
    }
  }
}

const LIBRARIES = 'usr/lib/x86_64-linux-gnu'
for (const [name, packages, library] of [
  ['jemalloc', ['libjemalloc2'], 'libjemalloc.so.2'],
  ['tcmalloc', ['libtcmalloc-minimal4'], 'libtcmalloc_minimal.so.4'],
  ['tcmalloc', ['libgoogle-perftools4', 'libunwind8'], 'libtcmalloc.so.4'],
  ['mimalloc', ['libmimalloc2.0'], 'libmimalloc.so.2.0'],
] as const) {
  t.test(`${library} in front of libc`, async (t) => {
    const found = packages.map(packageFiles)
    const folders: string[] = []
    for (const one of found) {
      if ('reason' in one) return void t.pass(library, { skip: one.reason })
      folders.push(join(one.root, LIBRARIES))
    }
    const env = { LD_PRELOAD: join(folders[0]!, library), LD_LIBRARY_PATH: folders.join(':') }
    const stem = library.slice(0, library.indexOf('.so'))
    const seen = `^malloc here is ${name} \\(${stem}\\.so\\S* is mapped\\); glibc's arenas hold`

    const info = join(folder, `${library}.info`)
    const mixed = await start(compile(BOTH), [info], { env })
    const sentence = new RegExp(`${seen} \\d`, 'm')
    await both(t, mixed, looker({ name, sentence, complete: true, glibc: 'used' }, info))

    const alone = await start(compile(PLAIN), [], { env })
    t.teardown(() => alone.kill())
    const unused = new RegExp(`${seen} 0 B`, 'm')
    await looker({ name, sentence: unused, complete: true, glibc: 'unused' })(t, {
      kind: 'live',
      pid: alone.pid,
    })
  })
}

t.test('musl', async (t) => {
  const dev = packageFiles('musl-dev')
  const library = packageFiles('musl')
  for (const one of [dev, library]) if ('reason' in one) return void t.pass('musl', { skip: one.reason })
  const roots = [dev, library] as { root: string }[]
  const own = join(folder, 'musl.specs')
  // musl-gcc is gcc with these specs, whose paths are moved here.
  const text = readFileSync(join(roots[0]!.root, 'usr/lib/x86_64-linux-musl/musl-gcc.specs'), 'utf8')
  writeFileSync(
    own,
    text.replaceAll(/\/usr\/(?=(lib|include)\/x86_64-linux-musl)/g, `${roots[0]!.root}/usr/`),
  )
  const lib = join(roots[1]!.root, 'lib')
  const folderOf = join(lib, readdirSync(lib).find((name) => name.includes('linux-musl'))!)
  const dynamic = compile(PLAIN, [
    `-specs=${own}`,
    `-Wl,-dynamic-linker=${join(lib, 'ld-musl-x86_64.so.1')}`,
    `-L${folderOf}`,
  ])
  const fixed = compile(PLAIN, [`-specs=${own}`, '-static', '-Wl,--build-id'])
  const end = "glibc's is not in this process"
  const expected = { name: 'musl', complete: true, glibc: 'absent' } as const
  await t.test('dynamic', async (t) => {
    const sentence = new RegExp(`^malloc here is musl's \\(.*is mapped\\); ${end}`, 'm')
    await both(t, await start(dynamic), looker({ ...expected, sentence }))
  })
  await t.test('static', async (t) => {
    const sentence = new RegExp(`^malloc here is musl's \\(its table of sizes is in \\w+\\); ${end}`, 'm')
    await both(t, await start(fixed), looker({ ...expected, sentence }))
  })
})

t.test('jemalloc linked into the program', async (t) => {
  const dev = packageFiles('libjemalloc-dev')
  if ('reason' in dev) return void t.pass('static jemalloc', { skip: dev.reason })
  const flags = ['-xnone', join(dev.root, LIBRARIES, 'libjemalloc.a'), '-lm', '-lstdc++', '-ldl']
  for (const [what, program] of [
    ['libc dynamic', compile(PLAIN, flags)],
    ['all static', compile(PLAIN, [...flags, '-static'])],
  ] as const) {
    await t.test(what, async (t) => {
      const running = await start(program)
      const core = gcore(running.pid, join(folder, `core.${running.pid}`))
      t.teardown(() => running.kill())
      for (const choice of [
        { kind: 'live', pid: running.pid } as const,
        { kind: 'core', path: core } as const,
      ]) {
        const { report, target, close } = await openSession(choice)
        t.match(
          report.problems.join('\n'),
          /^jemalloc is linked into this program \("<jemalloc>" is in \w+\);/m,
        )
        t.match(detectAllocator(target), { name: 'jemalloc', place: 'program' })
        void close
        target.close()
      }
    })
  }
})

t.test("glibc's own malloc is nobody else's", async (t) => {
  for (const flags of [[], ['-static']]) {
    const running = await start(compile(PLAIN, flags))
    t.teardown(() => running.kill())
    const target = openLive(running.pid)
    t.teardown(() => target.close())
    t.equal(detectAllocator(target), null, flags.join(' '))
    t.equal(isGlibcUnused(target), false, 'it is used')
  }
  const version = execFileSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' })
  t.match(version, /^glibc/)
  const itself = openLive(process.pid)
  t.teardown(() => itself.close())
  t.equal(detectAllocator(itself), null, 'nor is that of node')
})
