// A live target is neither stopped nor attached while it is read.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { longestGap } from '../support/heartbeat.js'
import { compile, scratch, start } from '../support/programs.js'

const ROUNDS = 5
const run = promisify(execFile)

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

t.test('the heartbeat goes on', async (t) => {
  const folder = scratch()
  const program = compile('examples/programs/arena-bloat.c')
  const args = (name: string) => ['32', '8', '1', 'log:16:4096', join(folder, name)]
  const target = await start(program, args('target'), { cwd: folder })
  const twin = await start(program, args('twin'), { cwd: folder })
  const beat = join(folder, 'target.hb')
  const gaps = { control: [] as number[], read: [] as number[], attached: [] as number[] }
  let tracers = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    // Control: the same work on a twin, so that both runs take the same share of the machine.
    const control = await longestGap(beat, () => arenaInspect(['report', '--pid', String(twin.pid)]))
    const watch = setInterval(() => tracers.add(tracerOf(target.pid)), 2)
    const read = await longestGap(beat, () => arenaInspect(['report', '--pid', String(target.pid)]))
    clearInterval(watch)
    t.ok(control.beats > 0 && read.beats > 0, 'the heart beats')
    gaps.control.push(control.gapMs)
    gaps.read.push(read.gapMs)
  }
  t.same([...tracers], ['0'], 'nobody traced it')
  tracers = new Set()
  for (let round = 0; round < ROUNDS; round++) {
    const attach = ['-nx', '-batch', '-p', String(target.pid), '-ex', 'info threads']
    const attached = await longestGap(beat, () => run('gdb', attach))
    gaps.attached.push(attached.gapMs)
  }
  t.comment(`longest gaps in ms: ${JSON.stringify(gaps)}`)
  // The idle noise is what the control shows at its worst; what a stop looks like, gdb's attaching shows.
  t.ok(median(gaps.read) <= 2 * Math.max(...gaps.control), 'no gap beyond the noise of the control')
  t.ok(median(gaps.read) < median(gaps.attached) / 2, 'far from what attaching costs')
  await target.kill()
  await twin.kill()
})

const BUSY = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void *churn(void *seed) {
  unsigned s = (unsigned)(unsigned long)seed * 7919 + 1;
  static __thread void *held[2000];
  for (;;) {
    s = s * 1664525 + 1013904223;
    unsigned at = (s >> 8) % 2000;
    free(held[at]);
    held[at] = malloc(16 + (s >> 12) % 5000);
  }
}
int main(void) {
  pthread_t thread;
  for (long id = 0; id < 4; id++) pthread_create(&thread, 0, churn, (void *)id);
  sleep(1);
  printf("%d\\n", getpid());
  fflush(stdout);
  pause();
}
`

t.test('a process that allocates without pause', async (t) => {
  const busy = await start(compile(BUSY))
  for (let round = 0; round < 3; round++) {
    const { code, stdout } = await arenaInspect(['report', '--pid', String(busy.pid), '--json'])
    t.equal(code, 0)
    const { arenas } = (JSON.parse(stdout) as Report).heap!
    t.equal(arenas.length, 5, 'all arenas are listed')
    for (const { systemBytes, inUseBytes, freeBytes, liveBytes, tcacheBytes, binnedBytes } of arenas) {
      t.ok(systemBytes! > 0)
      for (const bytes of [inUseBytes, freeBytes, liveBytes, tcacheBytes, binnedBytes]) {
        if (bytes !== null && (bytes < 0 || bytes > systemBytes!)) t.fail(`${bytes} of ${systemBytes} bytes`)
      }
    }
  }
  t.equal(tracerOf(busy.pid), '0')
  await busy.kill()
})

function tracerOf(pid: number): string {
  return /^TracerPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
}
