// Live targets against real processes: memory, threads, modules, residency; nothing of it stops or changes them.
import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { address } from '../../src/memory/address.js'
import { buildIdOfFile } from '../../src/target/elf/build-id.js'
import { elfMachine, openLive } from '../../src/target/live/open-live.js'
import { parseMaps } from '../../src/target/live/proc-maps.js'
import { type Target, TargetError } from '../../src/target/target.js'
import { compile, type Running, scratch, start } from '../support/programs.js'
import { nextOutput } from '../support/wait-until.js'

const PAGE = 4096
const PREAMBLE = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#define PAGES(n, p) mmap(0, (n) * 4096UL, p, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
`

/** Prints addresses: reservation, data under PROT_NONE, write-only page, data before a hole, half-used memory. */
const MEMORY = `${PREAMBLE}
static char *none;
static void grow(int s) { (void)s; mprotect(none, 4096, PROT_READ | PROT_WRITE); strcpy(none, "grown"); write(1, "done\\n", 5); }
int main(void) {
  none = PAGES(16, PROT_NONE);
  char *hidden = PAGES(16, PROT_READ | PROT_WRITE);
  memset(hidden, 'x', 16 * 4096);
  mprotect(hidden, 4 * 4096, PROT_NONE);
  char *writable = PAGES(1, PROT_WRITE);
  *writable = 5;
  char *hole = PAGES(4, PROT_READ | PROT_WRITE);
  memset(hole, 'd', 4 * 4096);
  munmap(hole + 8192, 8192);
  char *half = PAGES(64, PROT_READ | PROT_WRITE);
  madvise(half, 64 * 4096, MADV_NOHUGEPAGE);
  mprotect(half, 4096, PROT_READ);
  mprotect(half + 63 * 4096, 4096, PROT_READ);
  memset(half + 4096, 'h', 8 * 4096);
  signal(SIGUSR1, grow);
  printf("%p %p %p %p %p\\n", none, hidden, writable, hole, half + 4096);
  fflush(stdout);
  for (;;) pause();
}`

const THREADS = `${PREAMBLE}
static pthread_barrier_t named;
static void *wait_(void *name) { pthread_setname_np(pthread_self(), name); pthread_barrier_wait(&named); for (;;) pause(); }
static void *spin(void *name) { pthread_setname_np(pthread_self(), name); pthread_barrier_wait(&named); for (;;) ; }
int main(void) {
  pthread_t t;
  pthread_barrier_init(&named, 0, 4);
  pthread_create(&t, 0, wait_, "two words");
  pthread_create(&t, 0, wait_, "r\\xe4w)\\n(x");
  pthread_create(&t, 0, spin, "spinner");
  pthread_barrier_wait(&named);
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}`

/** Prints "bias name" of each loaded object, as the dynamic loader has it; maps libm's file once more as data. */
const MODULES = `${PREAMBLE}
static int one(struct dl_phdr_info *i, size_t n, void *d) {
  (void)n; (void)d;
  if (strcmp(i->dlpi_name, "linux-vdso.so.1")) printf("%lx=%s;", (long)i->dlpi_addr, i->dlpi_name);
  return 0;
}
int main(int argc, char **argv) {
  if (argc > 1) mmap(0, 65536, PROT_READ, MAP_PRIVATE, open(argv[1], O_RDONLY), 0);
  dl_iterate_phdr(one, 0);
  puts("");
  fflush(stdout);
  for (;;) pause();
}`

const SIMPLE = `${PREAMBLE}
int main(void) { puts(""); fflush(stdout); for (;;) pause(); }`

function words(line: string): bigint[] {
  return line.trim().split(' ').map(BigInt)
}

/** A program that runs until the test ends, however it ends. */
async function started(t: Test, ...args: Parameters<typeof start>): Promise<Running> {
  const running = await start(...args)
  t.teardown(() => running.kill())
  return running
}

async function opened(t: Test, source: string, args: readonly string[] = []): Promise<[Target, Running]> {
  const running = await started(t, compile(source, ['-w']), args)
  const target = openLive(running.pid)
  t.teardown(() => target.close())
  return [target, running]
}

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return null
}

function problem(run: () => unknown): TargetError {
  const error = thrown(run)
  if (error instanceof TargetError) return error
  throw error ?? new Error('no error')
}

t.test('reads what the process can read, up to the byte', async (t) => {
  const [target, { line, pid, child }] = await opened(t, MEMORY)
  const { memory } = target
  const [none, hidden, writable, hole] = words(line) as [bigint, bigint, bigint, bigint]
  const bytes = new Uint8Array(16 * PAGE)
  const read = (at: bigint, length: number) => memory.read(address(at), bytes.subarray(0, length))
  t.equal(read(hidden + 4n * BigInt(PAGE), 12 * PAGE), 12 * PAGE)
  t.ok(bytes.subarray(0, 12 * PAGE).every((byte) => byte === 0x78))
  t.equal(read(writable, 1), 1, 'memory that is only writable has contents too')
  t.equal(bytes[0], 5)

  t.equal(read(hole + 100n, 4 * PAGE), 2 * PAGE - 100, 'short at a hole')
  t.equal(bytes[2 * PAGE - 101], 0x64)
  t.equal(read(hole + 8192n, 8), 0)
  t.match(memory.fault(address(hole + 8192n)), {
    name: 'MemoryFault',
    kind: 'unmapped',
    address: hole + 8192n,
  })
  for (const at of [0n, 2n ** 63n - 8n, 2n ** 63n, 2n ** 64n - 8n]) {
    t.equal(read(at, 8), 0)
    t.equal(memory.fault(address(at)).kind, 'unmapped')
  }

  t.equal(read(none, 8), 0, 'a reservation is not made into zeros')
  t.equal(read(hidden, 8), 0, 'no permissions, no bytes')
  t.match(memory.fault(address(none)), { kind: 'io', message: /without any access permission/ })

  const grown = nextOutput(child)
  process.kill(pid, 'SIGUSR1')
  await grown
  const deadline = performance.now() + 60_000
  while (read(none, 6) === 0 && performance.now() < deadline)
    await new Promise((resolve) => setImmediate(resolve))
  t.equal(
    Buffer.from(bytes.subarray(0, 5)).toString(),
    'grown',
    'memory that was mapped in meanwhile is seen without a refresh',
  )
  t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /TracerPid:\s0\n/)
})

t.test('regions and residency are the kernel’s', async (t) => {
  const [target, { line, pid }] = await opened(t, MEMORY)
  t.match(target, {
    kind: 'live',
    label: `pid ${pid}`,
    pid,
    signal: null,
    pageBytes: PAGE,
    wordBytes: 8,
    problems: [],
  })
  const maps = parseMaps(readFileSync(`/proc/${pid}/maps`, 'utf8'))
  t.same(target.regions(), maps)
  t.ok(maps.length > 10)

  const half = words(line)[4]!
  const inHalf = (from: number, to: number) =>
    target.residentBytes(address(half + BigInt(from * PAGE)), address(half + BigInt(to * PAGE)))
  t.equal(inHalf(0, 62), 8 * PAGE, 'a whole mapping, by smaps')
  t.equal(inHalf(0, 4), 4 * PAGE, 'a part, by pagemap')
  t.equal(inHalf(6, 20), 2 * PAGE)
  target.memory.read(address(half), new Uint8Array(62 * PAGE))
  target.refresh()
  t.equal(inHalf(6, 20), 2 * PAGE, 'pages of zeros that our reading brought in are not the process’s memory')
  t.equal(inHalf(0, 62), 8 * PAGE)

  const rollup = /^Rss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]
  target.refresh()
  const sum = target.regions().reduce((n, r) => n + target.residentBytes(r.start, r.end)!, 0)
  t.equal(sum, Number(rollup) * 1024, 'a process at rest: the parts are the whole')
  t.equal(target.residentBytes(address(0n), address(2n ** 64n - 1n)), sum)
})

t.test('threads, without attaching', async (t) => {
  const [target, { pid }] = await opened(t, THREADS)
  const asleep = () => target.threads().filter(({ stackPointer }) => stackPointer !== null).length
  const deadline = performance.now() + 60_000
  while (asleep() < 3 && performance.now() < deadline) target.refresh()
  const threads = target.threads()
  t.same(
    threads.map(({ name }) => name),
    [
      realpathSync(`/proc/${pid}/exe`).split('/').at(-1)!.slice(0, 15),
      'two words',
      'r\ufffdw)\n(x',
      'spinner',
    ],
  )
  t.equal(threads[0]!.tid, pid)
  const holders = threads.map(({ stackPointer: sp }) =>
    target.regions().find((r) => sp !== null && r.start <= sp && sp < r.end),
  )
  t.equal(holders[0]?.path, '[stack]')
  t.match(holders[1], { path: null, permissions: { write: true } })
  t.not(holders[1], holders[2])
  t.equal(threads[3]!.stackPointer, null, 'a thread that runs has no stack pointer to show')
  t.ok(threads.every(({ threadPointer }) => threadPointer === null))
})

t.test('modules are those of the dynamic loader', async (t) => {
  const libm = /libm\.so\.6 => (\S+)/.exec(
    execFileSync('ldd', [compile(`${MODULES}/* libm */`, ['-w', '-Wl,--no-as-needed', '-lm'])], {
      encoding: 'utf8',
    }),
  )![1]!
  for (const [kind, flags] of [
    ['PIE', []],
    ['fixed address', ['-no-pie', '-fno-pie']],
  ] as const) {
    const running = await started(
      t,
      compile(`${MODULES}/* libm */`, ['-w', '-Wl,--no-as-needed', '-lm', ...flags]),
      [libm],
    )
    const target = openLive(running.pid)
    const loader = running.line
      .split(';')
      .filter(Boolean)
      .map((entry) => entry.split('='))
    const modules = target.modules()
    t.same(
      new Set(modules.map((m) => `${m.loadBias!.toString(16)} ${m.isProgram ? '' : m.path}`)),
      new Set(loader.map(([bias, name]) => `${bias} ${name === '' ? '' : realpathSync(name!)}`)),
      kind,
    )
    t.equal(modules.length, loader.length, 'a library’s file that is mapped as data is no module')
    for (const module of modules) {
      t.match(module.buildId, /^[0-9a-f]{40}$/)
      t.equal(module.file, module.path)
      t.equal(buildIdOfFile(module.file!), module.buildId)
    }
    t.equal(modules.find((m) => m.isProgram)!.path, target.executable)
    target.close()
  }
})

t.test('a program that was deleted, then replaced', async (t) => {
  const program = join(scratch(), 'the program')
  copyFileSync(compile(SIMPLE), program)
  const running = await started(t, program)
  const buildId = buildIdOfFile(program)
  rmSync(program)
  for (const when of ['deleted', 'replaced']) {
    if (when === 'replaced') copyFileSync(compile(THREADS, ['-w']), program)
    const target = openLive(running.pid)
    t.equal(target.executable, program, when)
    t.match(target.problems, [/was deleted or replaced on disk/])
    const module = target.modules().find((m) => m.isProgram)!
    t.match(module, { path: program, buildId, file: `/proc/${running.pid}/exe` })
    t.equal(buildIdOfFile(module.file!), buildId)
    target.close()
  }
})

t.test('what machine a program is for', async (t) => {
  const head = (elfClass: number, machine: number) =>
    Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, elfClass, ...Array(13).fill(0), machine & 255, machine >> 8])
  t.equal(
    elfMachine(readFileSync('/proc/self/exe').subarray(0, 20)),
    process.arch === 'x64' ? 'x86_64' : 'aarch64',
  )
  t.equal(elfMachine(head(2, 62)), 'x86_64')
  t.equal(elfMachine(head(1, 62)), 'x32', 'refused by name')
  t.equal(elfMachine(head(1, 3)), 'i386')
  t.equal(elfMachine(head(2, 243)), 243)
  t.equal(elfMachine(null), 0)
})

t.test('the process ends, or becomes another', async (t) => {
  const [target, running] = await opened(t, MEMORY)
  const at = address(words(running.line)[4]!)
  t.equal(target.memory.read(at, new Uint8Array(8)), 8)
  await running.kill()
  const gone = { message: `process ${running.pid} has ended or started another program` }
  t.match(
    problem(() => target.memory.read(at, new Uint8Array(8))),
    gone,
  )
  t.match(
    problem(() => target.regions()),
    gone,
  )
  t.match(
    problem(() => target.threads()),
    gone,
  )
  t.match(
    problem(() => target.refresh()),
    gone,
  )

  const child = spawn('/bin/sh', ['-c', 'read line; exec sleep 1000'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const shell = openLive(child.pid!)
  t.teardown(() => shell.close())
  const { start: base } = shell.regions()[0]!
  child.stdin.end('\n')
  const isSleep = () => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n'
  const deadline = performance.now() + 60_000
  while (!isSleep() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
  t.match(
    problem(() => shell.memory.read(base, new Uint8Array(8))),
    { message: /started another program/ },
  )
  t.match(
    problem(() => shell.refresh()),
    { message: /started another program/ },
  )
})
