// The gdb recorder on real processes: stacks to their ends, counts equal to the program's own, and the process lives on.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { gdbRecorder } from '../../src/trace/gdb-recorder.js'
import { LiveCode } from '../../src/trace/live-code.js'
import { symbolize } from '../../src/trace/symbolize.js'
import type { TraceFrame } from '../../src/trace/trace.js'
import type { Recording, TraceEvent } from '../../src/trace/trace-event.js'
import { type TracedParts, TraceState } from '../../src/trace/trace-state.js'
import { endWithUs } from '../support/end-with-us.js'
import { type Mapper, mapperProgram, startMapper } from '../support/mapper.js'
import { compile, ROOT, scratch } from '../support/programs.js'
import { endingOf, waitUntil } from '../support/wait-until.js'

const MIN = 60 * 2 ** 20

interface Recorded {
  readonly mapper: Mapper
  readonly code: LiveCode
  readonly state: TraceState
  readonly events: TraceEvent[]
  readonly recording: Recording
}

async function record(mapper: Mapper, minimumBytes = MIN, gdbPath?: string): Promise<Recorded> {
  const code = new LiveCode(mapper.pid)
  const state = new TraceState(code)
  const events: TraceEvent[] = []
  const recording = await gdbRecorder.start({
    pid: mapper.pid,
    minimumBytes,
    onEvent: (event) => {
      events.push(event)
      state.add(event)
    },
    ...(gdbPath === undefined ? {} : { gdbPath }),
  })
  return { mapper, code, state, events, recording }
}

/** Stops the recording, and checks that the process is as it was: not traced, not stopped, its heart beats. */
async function stop(t: Test, { recording, state, code, mapper }: Recorded): Promise<TracedParts> {
  await recording.stop()
  await livesOn(t, mapper)
  state.checkAgainstMaps(Date.now())
  code.close()
  return state.parts()
}

function statusOf(pid: number): { state: string; tracer: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    state: /^State:\s*(\S)/m.exec(text)![1]!,
    tracer: Number(/^TracerPid:\s*(\d+)/m.exec(text)![1]),
  }
}

async function livesOn(t: Test, mapper: Mapper): Promise<void> {
  await waitUntil('nobody traces it', () => statusOf(mapper.pid).tracer === 0)
  const before = mapper.beats()
  await waitUntil('its heart beats', () => mapper.beats() > before + 20, mapper.ending)
  t.match(statusOf(mapper.pid).state, /^[SRD]$/)
}

type Names = readonly (string | null)[]

async function stacksOf(parts: TracedParts, folders: readonly string[] = [], gdbPath?: string) {
  const { frames } = await symbolize(parts, { folders, ...(gdbPath === undefined ? {} : { gdbPath }) })
  const named = (index: number): TraceFrame => frames[index]!
  return parts.groups.map((group) => {
    const stack = parts.stacks[group.stack!]!
    const names: Names = stack.frames.flatMap((frame) => [...named(frame).inlined, named(frame).function])
    return { group, cut: stack.cut, names }
  })
}

/** gdb that finds no debug files. */
function gdbWithoutDebugFiles(): string {
  const path = join(scratch(), 'gdb')
  writeFileSync(path, '#!/bin/sh\nexec gdb -iex "set debug-file-directory /nonexistent" "$@"\n')
  chmodSync(path, 0o755)
  return path
}

t.test('the whole path of each thread, and what the program says it mapped', async (t) => {
  const recorded = await record(await startMapper(['path', '3', '2']))
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  t.equal(parts.mapped.calls, counts.mmapCalls)
  t.equal(parts.mapped.bytes, counts.mmapBytes)
  t.equal(parts.mapped.stillMappedBytes, counts.mmapBytes - counts.unmapBytes)
  t.equal(parts.mapped.stillMappedCalls, 4, 'of each three one is gone and one half gone')
  t.equal(parts.checkedAgainstMaps?.goneUnseenBytes, 0)
  t.equal(parts.lostEvents, 0)
  t.same(parts.births, { arenas: 0, heaps: 0, reservedBytes: 0 })
  const stacks = await stacksOf(parts)
  t.equal(stacks.length, 2)
  const path = ['map_region', 'c', 'b', 'b', 'b', 'a', 'run_path']
  const main = stacks.find(({ names }) => names.includes('main'))!
  t.same(main.names.slice(1, 9), [...path, 'main'])
  t.equal(main.names.at(-1), '_start')
  t.equal(main.cut, false)
  t.same(
    main.group.threads.map(({ calls }) => calls),
    [3],
  )
  const thread = stacks.find(({ names }) => names.includes('thread_main'))!
  t.same(thread.names.slice(1), [...path, 'thread_main', 'start_thread', thread.names.at(-1)])
  t.match(thread.names.at(-1), /^_*clone3?$/)
  t.equal(thread.cut, false)
  t.same(thread.group.threads.map(({ name }) => name).includes('mapper-thread'), true)
  await recorded.mapper.end()
})

t.test('the same without debug files: unwind tables and symbol tables suffice', async (t) => {
  const gdb = gdbWithoutDebugFiles()
  const program = mapperProgram(['-Wl,--strip-debug'])
  const recorded = await record(await startMapper(['path', '3', '2'], { program }), MIN, gdb)
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  t.equal(parts.mapped.calls, counts.mmapCalls)
  t.equal(parts.mapped.bytes, counts.mmapBytes)
  const stacks = await stacksOf(parts, [], gdb)
  const path = ['map_region', 'c', 'b', 'b', 'b', 'a', 'run_path']
  const main = stacks.find(({ names }) => names.includes('main'))!
  t.same(main.names.slice(1, 9), [...path, 'main'])
  t.match(main.names[0], /mmap/, 'from .dynsym of libc')
  t.notOk(main.names.includes('__libc_start_call_main'), 'which only debug files name')
  t.equal(main.names.at(-1), '_start')
  const thread = stacks.find(({ names }) => names.includes('thread_main'))!
  t.same(thread.names.slice(1, 9), [...path, 'thread_main'])
  t.equal(thread.names.length, 11, 'start_thread and clone3, without a name')
  t.same([main.cut, thread.cut], [false, false])
  await recorded.mapper.end()
})

t.test('mremap moves what was mapped and adds to it; brk up and down', async (t) => {
  const recorded = await record(await startMapper(['grow', '3']))
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  const of = (name: 'mmapCalls' | 'mremapCalls' | 'brkCalls') =>
    parts.groups.find((group) => group[name] > 0)!
  t.same([of('mmapCalls').calls, of('mmapCalls').bytes], [counts.mmapCalls, counts.mmapBytes])
  t.equal(of('mmapCalls').stillMappedBytes, counts.mmapBytes, 'wherever it is now')
  t.same([of('mremapCalls').calls, of('mremapCalls').bytes], [counts.mremapCalls, counts.mremapBytes])
  t.equal(of('mremapCalls').stillMappedBytes, counts.mremapBytes)
  t.same([of('brkCalls').calls, of('brkCalls').bytes], [counts.brkCalls, counts.brkBytes])
  t.equal(of('brkCalls').stillMappedBytes, counts.brkBytes - counts.unmapBytes)
  t.equal(parts.checkedAgainstMaps?.goneUnseenBytes, 0)
  await recorded.mapper.end()
})

t.test('each birth of an arena and of a heap, and what malloc gives back of it at once', async (t) => {
  for (const minimum of [MIN, 2 ** 40]) {
    const recorded = await record(await startMapper(['arenas', '5', '100']), minimum)
    const counts = await recorded.mapper.work()
    const parts = await stop(t, recorded)
    t.equal(counts.arenas, 5)
    t.ok(counts.heaps > counts.arenas)
    t.same(parts.births, {
      arenas: counts.arenas,
      heaps: counts.heaps,
      reservedBytes: counts.heaps * 64 * 2 ** 20,
    })
    // malloc tries at an address first, and gives all of it back where that was not aligned.
    t.equal(parts.mapped.stillMappedBytes, 0)
    const births = parts.groups.filter(({ kind }) => kind === 'birth')
    t.equal(
      births.reduce((sum, group) => sum + group.stillMappedBytes, 0),
      parts.births.reservedBytes,
    )
    t.equal(parts.checkedAgainstMaps?.goneUnseenBytes, 0)
    const stacks = await stacksOf(parts)
    for (const { names, group } of stacks) {
      t.ok(names.includes('arena_main') && names.includes('start_thread'))
      t.equal(names.includes('_int_new_arena'), group.arenas > 0, 'libc agrees which they are')
    }
    await recorded.mapper.end()
  }
})

t.test('reservations that are no heaps of malloc are not taken for births', async (t) => {
  const program = compile(
    `#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  puts("ready"); fflush(stdout);
  char line[9];
  if (!fgets(line, 9, stdin)) return 1;
  for (int i = 0; i < 3; i++) {
    char *at = mmap(0, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (i > 0) mprotect(at, 128 << 20, PROT_READ | PROT_WRITE);
    if (i > 1) memset(at, 0x41, 128 << 20);
  }
  puts("{}"); fflush(stdout);
  pause();
}`,
  )
  const mapper = await startMapper([], { program })
  const recorded = await record(mapper)
  await mapper.work()
  await recorded.recording.stop()
  const parts = recorded.state.parts()
  t.same(parts.births, { arenas: 0, heaps: 0, reservedBytes: 0 })
  t.equal(parts.mapped.calls, 3)
  t.equal(parts.mapped.stillMappedBytes, 3 * 2 ** 27)
  recorded.code.close()
  await mapper.end()
})

t.test('children of a fork are not counted, and not disturbed', async (t) => {
  const recorded = await record(await startMapper(['fork', '2']))
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  t.equal(counts.mmapCalls, 2, 'the child has ended well, else the program had')
  t.equal(parts.mapped.calls, 2)
  t.equal(parts.mapped.stillMappedBytes, counts.mmapBytes)
  await recorded.mapper.end()
})

t.test('another program in the same process: all of both, nothing lost between', async (t) => {
  const recorded = await record(await startMapper(['exec', '2']))
  const { mapper } = recorded
  mapper.go()
  t.match(await mapper.line(), /^ready/, 'it runs as another program')
  const counts = await mapper.work()
  const parts = await stop(t, recorded)
  t.equal(parts.mapped.calls, 2 + counts.mmapCalls)
  t.equal(parts.mapped.stillMappedBytes, counts.mmapBytes - counts.unmapBytes, 'of the second program only')
  t.same(parts.gaps, [])
  const stacks = await stacksOf(parts)
  t.ok(stacks.every(({ names, cut }) => !cut && (names.at(-1) === '_start' || names.includes('thread_main'))))
  t.ok(recorded.events.some(({ kind }) => kind === 'exec'))
  await mapper.end()
})

t.test('code that was loaded while it was watched', async (t) => {
  const library = compile(
    `#include <sys/mman.h>
__attribute__((noinline)) void *deep(void) {
  void *at = mmap(0, 70000000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  __asm__ volatile("" ::: "memory");
  return at;
}
void *plugin(void) { void *at = deep(); __asm__ volatile("" ::: "memory"); return at; }`,
    ['-shared', '-fPIC', '-fomit-frame-pointer'],
  )
  const program = compile(
    `#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) {
  puts("ready"); fflush(stdout);
  char line[9];
  if (!fgets(line, 9, stdin)) return 1;
  void *(*plugin)(void) = dlsym(dlopen(words[1], RTLD_NOW), "plugin");
  plugin(), plugin();
  puts("{}"); fflush(stdout);
  pause();
}`,
    ['-ldl'],
  )
  const mapper = await startMapper([library], { program })
  const recorded = await record(mapper)
  await mapper.work()
  await recorded.recording.stop()
  const parts = recorded.state.parts()
  t.equal(parts.mapped.calls, 2)
  const stacks = await stacksOf(parts)
  for (const { names, cut } of stacks) {
    t.same(names.slice(1, 4), ['deep', 'plugin', 'main'])
    t.equal(cut, false)
  }
  recorded.code.close()
  await mapper.end()
})

t.test('signals of the program stay its own', async (t) => {
  const program = compile(
    `#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static volatile int got[65];
static void handler(int number) { got[number]++; }
int main(void) {
  int numbers[] = {SIGINT, SIGTRAP, SIGUSR1, SIGTSTP, SIGALRM, SIGRTMIN + 1};
  for (int i = 0; i < 6; i++) signal(numbers[i], handler);
  puts("ready"); fflush(stdout);
  char line[9];
  if (!fgets(line, 9, stdin)) return 1;
  for (int round = 0; round < 20; round++)
    for (int i = 0; i < 6; i++) { raise(numbers[i]); mmap(0, 70000000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
  printf("{\\"got\\":[%d,%d,%d,%d,%d,%d]}\\n", got[SIGINT], got[SIGTRAP], got[SIGUSR1], got[SIGTSTP], got[SIGALRM], got[SIGRTMIN + 1]);
  fflush(stdout);
  pause();
}`,
  )
  const mapper = await startMapper([], { program })
  const recorded = await record(mapper)
  const counts = (await mapper.work()) as unknown as { got: number[] }
  t.same(counts.got, [20, 20, 20, 20, 20, 20])
  await recorded.recording.stop()
  t.equal(recorded.state.parts().mapped.calls, 120)
  recorded.code.close()
  await mapper.end()
})

t.test(
  'a process that is stopped by a signal stays stopped, and is watched again when it goes on',
  async (t) => {
    const mapper = await startMapper(['path', '2'])
    const recorded = await record(mapper)
    process.kill(mapper.pid, 'SIGSTOP')
    await waitUntil('it is stopped', () => statusOf(mapper.pid).state === 'T')
    const beats = mapper.beats()
    mapper.go()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    t.equal(statusOf(mapper.pid).state, 'T')
    t.equal(mapper.beats(), beats, 'nobody woke it')
    process.kill(mapper.pid, 'SIGCONT')
    await mapper.line()
    const isWatched = () => recorded.events.some(({ kind }) => kind === 'gap')
    await waitUntil('it is watched again', isWatched, mapper.ending)
    const counts = await mapper.work()
    const parts = await stop(t, recorded)
    t.match(parts.gaps, [{ why: /stopped by a signal/ }])
    t.ok(parts.mapped.calls >= counts.mmapCalls / 2, 'all of the second round')
    await mapper.end()
  },
)

t.test('a process that was stopped before is not woken', async (t) => {
  const mapper = await startMapper(['path', '2'])
  process.kill(mapper.pid, 'SIGSTOP')
  await waitUntil('it is stopped', () => statusOf(mapper.pid).state === 'T')
  const starting = record(mapper)
  const beats = mapper.beats()
  await new Promise((resolve) => setTimeout(resolve, 700))
  t.same([statusOf(mapper.pid).state, mapper.beats()], ['T', beats])
  process.kill(mapper.pid, 'SIGCONT')
  const recorded = await starting
  const counts = await mapper.work()
  const parts = await stop(t, recorded)
  t.equal(parts.mapped.calls, counts.mmapCalls)
  await mapper.end()
})

t.test('the end of the process ends the recording', async (t) => {
  const mapper = await startMapper(['path', '2'])
  const recorded = await record(mapper)
  const counts = await mapper.work()
  mapper.child.stdin!.write('end\n')
  t.equal(await recorded.recording.ended, null)
  t.equal(recorded.state.parts().mapped.calls, counts.mmapCalls)
  await recorded.recording.stop()
  recorded.code.close()
})

t.test('gdb is killed at any moment: the process lives on, and the recording says so', async (t) => {
  const mapper = await startMapper(['rate', '2000', '3600', '70000000', '4'])
  mapper.go()
  for (let round = 0; round < 6; round++) {
    const code = new LiveCode(mapper.pid)
    let seen = 0
    const starting = gdbRecorder.start({
      pid: mapper.pid,
      minimumBytes: MIN,
      onEvent: () => {
        seen++
      },
    })
    // Half of the rounds while it attaches, the others while events come.
    if (round % 2 === 0) {
      let failed: string | null = null
      starting.catch((error: unknown) => {
        failed = String(error)
      })
      await waitUntil(
        'gdb attaches',
        () => statusOf(mapper.pid).tracer !== 0,
        () => failed,
      )
      process.kill(statusOf(mapper.pid).tracer, 'SIGKILL')
      const recording = await starting.catch(() => null)
      if (recording) t.match(await recording.ended, /gdb was killed/)
      await recording?.stop()
    } else {
      const recording = await starting
      await waitUntil('events come', () => seen > 50, mapper.ending)
      t.ok(guards(mapper.pid).length > 0)
      process.kill(statusOf(mapper.pid).tracer, 'SIGKILL')
      t.match(await recording.ended, /gdb was killed/)
      await recording.stop()
    }
    code.close()
    await livesOn(t, mapper)
  }
  await waitUntil('nothing is left', () => guards(mapper.pid).length === 0)
  await mapper.end()
})

/** Processes that guard `pid`. */
function guards(pid: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`\0sh\0${pid}\0`)
      } catch {
        return false
      }
    })
}

t.test('many threads that come and go', async (t) => {
  const program = compile(
    `#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static void *work(void *none) {
  for (int i = 0; i < 5; i++) munmap(mmap(0, 70000000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 70000000);
  return none;
}
int main(void) {
  puts("ready"); fflush(stdout);
  char line[9];
  if (!fgets(line, 9, stdin)) return 1;
  for (int round = 0; round < 20; round++) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, work, 0);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
  }
  puts("{}"); fflush(stdout);
  pause();
}`,
  )
  const mapper = await startMapper([], { program })
  const recorded = await record(mapper)
  await mapper.work()
  await recorded.recording.stop()
  const parts = recorded.state.parts()
  t.equal(parts.mapped.calls, 800)
  t.equal(parts.mapped.stillMappedBytes, 0)
  t.equal(parts.groups.length, 1)
  recorded.code.close()
  await mapper.end()
})

t.test('what cannot be traced: one line and what to do', async (t) => {
  const mapper = await startMapper(['path', '1'])
  const hold = ['-nx', '-q', '-batch', '-p', String(mapper.pid), '-ex', 'shell sleep 60']
  const strace = endWithUs(spawn('gdb', hold, { stdio: 'ignore' }))
  await waitUntil('another gdb holds it', () => statusOf(mapper.pid).tracer !== 0, endingOf(strace))
  t.match(await gdbRecorder.whyNot(mapper.pid), /is traced by process \d+/)
  await t.rejects(gdbRecorder.start({ pid: mapper.pid, minimumBytes: MIN, onEvent: () => {} }), {
    name: 'TargetError',
    message: /is traced by process \d+/,
    hint: /end that gdb/,
  })
  strace.kill('SIGKILL')
  await mapper.end()
  await t.rejects(gdbRecorder.start({ pid: 999_999_999, minimumBytes: MIN, onEvent: () => {} }), {
    name: 'TargetError',
    message: /no process/,
  })
})

/** Why no program of 32 bits can be made here, or false. */
function no32Bits(): string | false {
  try {
    mapperProgram(['-m32'])
    return false
  } catch {
    return 'gcc cannot make programs of 32 bits here (gcc-multilib)'
  }
}

t.test('programs of 32 bits', { skip: no32Bits() }, async (t) => {
  const recorded = await record(await startMapper(['path', '3'], { program: mapperProgram(['-m32']) }))
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  t.equal(parts.mapped.calls, counts.mmapCalls)
  t.equal(parts.mapped.stillMappedBytes, counts.mmapBytes - counts.unmapBytes)
  const stacks = await stacksOf(parts)
  t.ok(stacks.some(({ names, cut }) => !cut && names.includes('main') && names.at(-1) === '_start'))
  await recorded.mapper.end()
})

t.test('what nobody takes from gdb is counted as lost, never silently dropped', async (t) => {
  const script = join(scratch(), 'line.py')
  writeFileSync(
    script,
    `
import json, os, socket, tempfile
path = os.path.join(tempfile.mkdtemp(), "line")
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(1)
line = Line(path)
reader = server.accept()[0]
MOST_QUEUED_BYTES = 100000
for number in range(20000):
    line.tell(k="map", n=number, filler="x" * 100)
lost_then = line.lost
text = b""
reader.setblocking(False)
def drain():
    global text
    while True:
        try:
            more = reader.recv(1 << 20)
        except BlockingIOError:
            return
        if not more:
            return
        text += more
for _ in range(1000):
    drain()
    line.flush()
line.tell(k="map", n=20000)
line.tell(k="end", why="asked", lost=line.lost)
drain()
got = [json.loads(part) for part in text.decode().splitlines()]
print(json.dumps({"maps": sum(one["k"] == "map" for one in got), "lost": sum(one["n"] for one in got if one["k"] == "lost"), "then": lost_then, "last": got[-1]["k"]}))
`,
  )
  const parts = join(ROOT, 'gdb-scripts/arena_inspect_trace_parts.py')
  const text = execFileSync('gdb', ['-nx', '-batch', '-x', parts, '-x', script], { encoding: 'utf8' })
  const found = JSON.parse(text) as { maps: number; lost: number; then: number; last: string }
  t.ok(found.then > 0, 'the queue was full')
  t.equal(found.lost, found.then)
  t.equal(found.maps + found.lost, 20_001, 'each is told or counted')
  t.equal(found.last, 'end')
})
