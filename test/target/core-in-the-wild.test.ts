// Cores that are less than they seem: zeros for stacks, no heaps by coredump_filter, files of other builds.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openCore } from '../../src/target/core/open-core.js'
import type { Target } from '../../src/target/target.js'
import { auxv, elfCore, elfImage, type FakeCore, mappedFiles, prpsinfo, prstatus } from '../fakes/elf-core.js'
import { compile, gcore, kernelCore, kernelCores, ROOT, scratch, start } from '../support/programs.js'

const folder = scratch()
let files = 0

function open(t: Test, path: string, options: Parameters<typeof openCore>[1] = {}): Target {
  const target = openCore(path, options)
  t.teardown(() => target.close())
  return target
}

function openFake(t: Test, core: FakeCore): Target {
  const path = join(folder, `fake-${files++}`)
  writeFileSync(path, elfCore(core))
  return open(t, path)
}

const THREADS = `
  #include <pthread.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <unistd.h>
  static pthread_barrier_t here;
  static void *wait_here(void *x) { free(malloc(100)); pthread_barrier_wait(&here); for (;;) pause(); return x; }
  int main(void) {
    pthread_barrier_init(&here, 0, 5);
    pthread_t thread; for (int i = 0; i < 4; i++) pthread_create(&thread, 0, wait_here, 0);
    pthread_barrier_wait(&here); sleep(1); puts("ready"); fflush(stdout); for (;;) pause();
  }`

const STACKS = /^the stacks of 4 threads are zeros in this core.*: take a kernel core .* or use a newer gdb/

/** The folder of a fetched glibc, or why there is none. */
function fetchedGlibc(release: string): { root: string } | { reason: string } {
  const { stdout, error, status } = spawnSync(
    process.execPath,
    [join(ROOT, 'test/matrix/fetch-glibcs.mjs')],
    {
      encoding: 'utf8',
      timeout: 60_000,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  )
  if (error || status !== 0) return { reason: `glibc ${release} could not be fetched` }
  const { suites } = JSON.parse(stdout) as {
    suites: ({ release: string; roots?: { amd64?: string }; failed?: string } | null)[]
  }
  const suite = suites.find((one) => one?.release === release)
  const root = suite?.roots?.amd64
  return root ? { root } : { reason: `glibc ${release}: ${suite?.failed ?? 'not fetched'}` }
}

t.test("gdb's gcore of a program with glibc 2.43", async (t) => {
  const glibc = fetchedGlibc('2.43')
  if ('reason' in glibc) return void t.pass('stacks of zeros', { skip: glibc.reason })
  const libraries = join(glibc.root, 'usr/lib/x86_64-linux-gnu')
  const loader = join(libraries, 'ld-linux-x86-64.so.2')
  const running = await start(loader, ['--library-path', libraries, compile(THREADS)], { cwd: folder })
  const core = join(folder, 'gcore-2.43')
  const { stdout, stderr } = spawnSync(
    'gdb',
    ['-nx', '-batch', '-p', String(running.pid), '-ex', `generate-core-file ${core}`],
    { encoding: 'utf8' },
  )
  const lost = /Memory read failed for corefile section/.test(stdout + stderr)
  const target = open(t, core)
  t.equal(target.threads().length, 5)
  if (lost) t.match(target.problems.join('\n'), STACKS)
  else t.pass('stacks of zeros', { skip: 'this gdb on this kernel writes the stacks' })
  if (!kernelCores()) return void t.pass('its kernel core', { skip: 'no kernel cores in the folder here' })
  const kernel = open(t, await kernelCore(running, folder, 'kernel-2.43'))
  t.same(kernel.problems, [], 'the kernel writes them')
})

t.test("gdb's gcore of a program with this machine's glibc", async (t) => {
  const running = await start(compile(THREADS))
  const target = open(t, gcore(running.pid, join(folder, 'gcore-here')))
  await running.kill()
  t.same(target.problems, [])
  t.same(target.notes, [])
})

t.test('stacks of zeros, synthetic', async (t) => {
  const stack = 0x7f0000000000n
  const threads = (tp: bigint) => [
    prstatus({ tid: 1, stackPointer: stack + 0x100n, threadPointer: tp }),
    prstatus({ tid: 2, stackPointer: stack + 0x1100n, threadPointer: tp + 0x1000n }),
  ]
  const notes = [prpsinfo(1, 'p', 'p'), mappedFiles([{ start: 0x1000n, end: 0x2000n, page: 0, path: '/p' }])]
  const memory = (fill: (bytes: Uint8Array) => void) => {
    const bytes = new Uint8Array(0x4000)
    fill(bytes)
    return [{ address: stack, bytes }]
  }
  const of = (tp: bigint, fill: (bytes: Uint8Array) => void) =>
    openFake(t, { notes: [...threads(tp), ...notes], segments: memory(fill) }).problems.join('\n')
  t.match(
    of(stack + 0x2000n, () => {}),
    /^the stacks of 2 threads are zeros/,
  )
  t.equal(
    of(stack + 0x2000n, (bytes) => bytes.fill(1, 0x1080)),
    '',
    'something is at and above each stack pointer',
  )
  t.match(
    of(stack + 0x2800n, (bytes) => bytes.fill(1, 0x1800, 0x1801)),
    /^the stack of 1 thread is zeros/,
    'one has a byte within reach',
  )
  const self = of(stack + 0x3000n, (bytes) => bytes.fill(1, 0x3000, 0x3008))
  t.match(self, /^the stack of 1 thread is zeros/, 'a thread block that is there: only the other is lost')
  const nowhere = openFake(t, {
    notes: [...threads(0x10n), ...notes],
    segments: [
      { address: stack, memoryBytes: 0x4000 },
      { address: 0x5000n, bytes: new Uint8Array(4096) },
    ],
  })
  t.notMatch(nowhere.problems.join('\n'), /zeros/, 'not saved is not zero')
})

t.test('coredump_filter without anonymous memory', async (t) => {
  const said = /^no anonymous memory was saved, .*: `echo 0x33 > \/proc\/PID\/coredump_filter`$/m
  const filtered = async (filter: string) =>
    start('/bin/sh', ['-c', `echo ${filter} > /proc/self/coredump_filter; exec "$0"`, compile(THREADS)], {
      cwd: folder,
    })
  for (const [filter, expected] of [
    ['0x32', true],
    ['0x31', false],
  ] as const) {
    const running = await filtered(filter)
    const byGdb = open(t, gcore(running.pid, join(folder, `gcore-${filter}`)))
    t.equal(said.test(byGdb.problems.join('\n')), expected, `gcore, ${filter}: ${byGdb.problems.join('; ')}`)
    if (!kernelCores()) {
      t.pass(`kernel core, ${filter}`, { skip: 'no kernel cores in the folder here' })
      await running.kill()
      continue
    }
    const byKernel = open(t, await kernelCore(running, folder, `kernel-${filter}`))
    t.equal(
      said.test(byKernel.problems.join('\n')),
      expected,
      `kernel, ${filter}: ${byKernel.problems.join('; ')}`,
    )
    t.equal(byKernel.problems.length, expected ? 1 : 0)
  }
})

t.test('a program of another build', async (t) => {
  const own = mkdtempSync(join(folder, 'build-'))
  const program = join(own, 'program')
  copyFileSync(compile(THREADS), program)
  const running = await start(program)
  const core = gcore(running.pid, join(own, 'core'))
  await running.kill()
  rmSync(program)
  copyFileSync(compile(THREADS.replace('ready', 'another')), program)
  const target = open(t, core)
  t.same(target.problems, [], 'nothing is missing')
  t.equal(target.notes?.length, 1)
  const begin = `${program} on this machine is another build than the core's (build-id differs: core `
  t.ok(target.notes![0]!.startsWith(begin), 'the program is named')
  t.match(
    target.notes![0],
    /: give the program of that build \(arena-inspect CORE PROGRAM\), or --sysroot FOLDER$/,
  )
  t.same(open(t, core, { program: compile(THREADS) }).notes, [], 'given the right one')
})

t.test('a libc of another build', async (t) => {
  const path = execFileSync('gcc', ['-print-file-name=libc.so.6'], { encoding: 'utf8' }).trim()
  const image = elfImage({
    loads: [{ offset: 0, address: 0n, bytes: 4096, flags: 4 }],
    buildId: '0123456789abcdef0123456789abcdef01234567',
  })
  const base = 0x7f0000000000n
  const target = openFake(t, {
    notes: [
      prstatus({ tid: 1, stackPointer: base, threadPointer: base }),
      auxv([]),
      mappedFiles([{ start: base, end: base + 0x1000n, page: 0, path }]),
    ],
    segments: [
      { address: base, bytes: image, flags: 4 },
      { address: base + 0x100000n, bytes: image },
    ],
  })
  t.equal(target.notes?.length, 1)
  t.match(
    target.notes![0],
    /libc.so.6 on this machine is another build .*core 0123456789abcdef.*--sysroot FOLDER/,
  )
})

t.test('a core without notes', async (t) => {
  const { problems } = openFake(t, { segments: [{ address: 0x1000n, bytes: new Uint8Array(4096) }] })
  t.match(problems.join('\n'), /no readable note of a thread \(NT_PRSTATUS\), so stacks .*take the next core/)
  t.match(problems.join('\n'), /no readable note of mapped files \(NT_FILE\).*take the next core/)
})
