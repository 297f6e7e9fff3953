// Categories of real processes against the kernel's own sums.
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import t from 'tap'
import { CATEGORIES, type CategorySum } from '../../src/maps/categories.js'
import { type Claim, categorize } from '../../src/maps/categorize.js'
import { guessArenaClaims } from '../../src/maps/guess-arena-claims.js'
import { address } from '../../src/memory/address.js'
import { sizeOf } from '../../src/memory/region.js'
import { openLive } from '../../src/target/live/open-live.js'
import { compile, start } from '../support/programs.js'

const MIB = 2 ** 20

function claim(start: bigint, bytes: number, category: Claim['category']): Claim {
  return { start: address(start), end: address(start + BigInt(bytes)), category }
}

/** Threads with an arena each, a 40 MiB mmapped chunk (half of it touched), a mapped file, and shared memory. */
const PROGRAM = `#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static char bss[3 << 20];
static pthread_barrier_t ready;
static void *work(void *unused) {
  (void)unused;
  for (int i = 0; i < 100; i++) memset(malloc(20000), 1, 20000);
  pthread_barrier_wait(&ready);
  for (;;) pause();
}
int main(int argc, char **argv) {
  (void)argc;
  pthread_barrier_init(&ready, 0, 5);
  pthread_t t;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 3 << 20);
  for (int i = 0; i < 4; i++) pthread_create(&t, &attr, work, 0);
  pthread_barrier_wait(&ready);
  memset(bss, 1, sizeof bss);
  for (int i = 0; i < 100; i++) memset(malloc(20000), 1, 20000);
  char *big = malloc(40 << 20);
  memset(big, 1, 20 << 20);
  int data = open(argv[1], O_RDONLY);
  volatile char *text = mmap(0, 4096, PROT_READ, MAP_PRIVATE, data, 0);
  (void)text[0];
  int shm = memfd_create("pool", 0);
  ftruncate(shm, 5 << 20);
  memset(mmap(0, 5 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, shm, 0), 1, 2 << 20);
  char *reserved = mmap(0, 9 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(reserved + (1 << 20), 7 << 20, PROT_NONE);
  printf("%p %zu\\n", big - 16, *(size_t *)(big - 8) & ~7UL);
  fflush(stdout);
  for (;;) pause();
}`

function kilobytes(file: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'))![1]) * 1024
}

t.test('a real process at rest', async (t) => {
  const file = new URL('../../package.json', import.meta.url).pathname
  const running = await start(compile(PROGRAM, ['-w']), [file])
  t.teardown(() => running.kill())
  const target = openLive(running.pid)
  t.teardown(() => target.close())
  const deadline = performance.now() + 60_000
  while (target.threads().some((x) => x.stackPointer === null) && performance.now() < deadline)
    target.refresh()

  const [big, bigBytes] = running.line.split(' ').map(Number) as [number, number]
  const claims = [...guessArenaClaims(target.regions()), claim(BigInt(big), bigBytes, 'mmapped chunks')]
  const { pieces, sums } = categorize({
    regions: target.regions(),
    threads: target.threads(),
    claims,
    residentBytes: (start, end) => target.residentBytes(start, end),
    programPath: target.executable,
  })
  const of = (category: CategorySum['category']) => sums.find((s) => s.category === category)!
  t.same(
    sums.map((s) => s.category),
    CATEGORIES.filter((c) => sums.some((s) => s.category === c)),
    'the order of the tables',
  )
  const lines = readFileSync(`/proc/${running.pid}/maps`, 'utf8').trimEnd().split('\n')
  const kernelTotal = lines.reduce((n, line) => {
    const [start, end] = line.split(' ')[0]!.split('-')
    return n + Number(BigInt(`0x${end}`) - BigInt(`0x${start}`))
  }, 0)
  t.equal(
    sums.reduce((n, s) => n + s.virtualBytes, 0),
    kernelTotal,
  )

  t.equal(of('arena heaps, committed').virtualBytes + of('arena heaps, reserved').virtualBytes, 4 * 64 * MIB)
  t.ok(of('arena heaps, committed').residentBytes! >= 4 * 100 * 20000)
  t.ok(of('main heap').residentBytes! >= 100 * 20000)
  t.match(of('mmapped chunks'), { mappings: 1, virtualBytes: bigBytes })
  t.ok(
    Math.abs(of('mmapped chunks').residentBytes! - 20 * MIB) <= 2 * MIB,
    'what was touched, rounded up to a huge page',
  )
  const stackBytes = target
    .regions()
    .filter((r) => r.path === '[stack]')
    .reduce((n, r) => n + sizeOf(r), 0)
  t.equal(of('main stack').virtualBytes, stackBytes)
  t.ok(of('thread stacks').virtualBytes >= 4 * 3 * MIB)
  t.ok(of('program').virtualBytes >= 3 * MIB, 'with its .bss')
  t.match(of('shared memory'), { mappings: 1, virtualBytes: 5 * MIB, residentBytes: 2 * MIB })
  t.ok(pieces.some((p) => p.category === 'files' && p.region.path === file))
  t.equal(of('other reserved').virtualBytes, 7 * MIB)

  const resident = sums.reduce((n, s) => n + s.residentBytes!, 0)
  t.equal(
    resident,
    kilobytes(`/proc/${running.pid}/smaps_rollup`, 'Rss'),
    'to the byte what the page tables hold',
  )
  // VmRSS is kept per CPU and may lag behind the page tables by a batch (max(32, 2 × CPUs) pages) a CPU and counter.
  const slack = 3 * Math.max(32, 2 * cpus().length) * cpus().length * target.pageBytes
  const vmRss = kilobytes(`/proc/${running.pid}/status`, 'VmRSS')
  t.ok(Math.abs(resident - vmRss) <= slack, `${resident} is within ${slack} of VmRSS ${vmRss}`)
})

t.test('a big program, this one, which moves', async (t) => {
  const target = openLive(process.pid)
  const { sums } = categorize({
    regions: target.regions(),
    threads: target.threads(),
    claims: [],
    programPath: target.executable,
  })
  target.close()
  t.equal(
    sums.reduce((n, s) => n + s.virtualBytes, 0),
    target.regions().reduce((n, r) => n + sizeOf(r), 0),
  )
  const of = (category: CategorySum['category']) =>
    sums.find((s) => s.category === category)?.virtualBytes ?? 0
  t.ok(of('program') > 0)
  t.ok(of('main stack') > 0)
  t.ok(of('thread stacks') > 0)
})
