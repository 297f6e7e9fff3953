// Processes behind gdbserver: the same bytes and figures as live, run on again whatever happens, and every wait ends.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { address, offset } from '../../src/memory/address.js'
import { sizeOf } from '../../src/memory/region.js'
import type { Report } from '../../src/report/report.js'
import { openSession } from '../../src/session/open-session.js'
import { parseEndpoint } from '../../src/target/gdb/remote/endpoint.js'
import { openRemote } from '../../src/target/gdb/remote/open-remote.js'
import type { RemoteTarget } from '../../src/target/gdb/remote/remote-target.js'
import { openLive } from '../../src/target/live/open-live.js'
import { arenaInspect, startArenaInspect } from '../support/command.js'
import { gdbserver, noGdbserver } from '../support/gdbserver.js'
import { asTruth, glibcTruth } from '../support/glibc-truth.js'
import { longestGap } from '../support/heartbeat.js'
import { compile, ROOT, type Running, scratch, start } from '../support/programs.js'
import { DEADLINE_MS, waitUntil } from '../support/wait-until.js'

const PAGE = 4096
const needsServer = { skip: noGdbserver }

function open(where: string, pid: number | null = null): Promise<RemoteTarget> {
  return openRemote({ endpoint: parseEndpoint(where), pid, sysroot: null })
}

function stateOf(pid: number): { state: string; tracer: string } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return { state: /^State:\s+(\S)/m.exec(status)![1]!, tracer: /^TracerPid:\s+(\d+)/m.exec(status)![1]! }
}

/** Resolves when nobody traces the process and it does not stand still; false when that did not come. */
async function runsOn(pid: number): Promise<boolean> {
  for (const end = performance.now() + DEADLINE_MS; performance.now() < end; ) {
    const { state, tracer } = stateOf(pid)
    if (tracer === '0' && state !== 'T' && state !== 't') return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

/** Mapped data, a page without permissions, data, a hole, data; prints their address. */
const PAGES = `
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  char *at = mmap(0, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 64 * 4096; i++) at[i] = (char)(i * 31 + (i >> 12) * 7 + ((i & 64) ? '}' : '*'));
  memset(at + 20 * 4096, 0, 4 * 4096);
  mprotect(at + 5 * 4096, 4096, PROT_NONE);
  munmap(at + 10 * 4096, 4096);
  printf("%p\\n", at);
  fflush(stdout);
  for (;;) pause();
}`

t.test('memory, to the byte', needsServer, async (t) => {
  const running = await start(compile(PAGES))
  const server = await gdbserver(['--attach'], [String(running.pid)])
  const remote = await open(server.where)
  const live = openLive(running.pid)
  const base = address(BigInt(running.line))
  const at = (bytes: number) => offset(base, bytes)
  t.equal(remote.kind, 'gdb')
  t.equal(remote.label, `${server.where} pid ${running.pid}`)
  for (const [from, length, expected] of [
    [0, 5 * PAGE, 5 * PAGE],
    [0, 64 * PAGE, 5 * PAGE],
    [3 * PAGE - 1, 4 * PAGE, 2 * PAGE + 1],
    [5 * PAGE, 1, 0],
    [6 * PAGE + 5, 64 * PAGE, 4 * PAGE - 5],
    [10 * PAGE, 10, 0],
    [11 * PAGE, 53 * PAGE, 53 * PAGE],
    [19 * PAGE + 17, 4 * PAGE, 4 * PAGE],
  ] as const) {
    const ours = new Uint8Array(length)
    const theirs = new Uint8Array(length)
    const got = remote.memory.read(at(from), ours)
    t.equal(got, expected, `${length} bytes at ${from}`)
    t.equal(live.memory.read(at(from), theirs), expected, 'as live')
    t.ok(Buffer.from(ours.subarray(0, got)).equals(Buffer.from(theirs.subarray(0, got))), 'the same bytes')
  }
  t.match(remote.memory.fault(at(5 * PAGE)), { kind: 'io', address: at(5 * PAGE) })
  t.match(remote.memory.fault(at(10 * PAGE)), { kind: 'unmapped' })
  t.equal(remote.memory.read(address(2n ** 64n - 8n), new Uint8Array(8)), 0, "the kernel's half")
  remote.close()
  t.ok(await runsOn(running.pid), 'it runs on')
  live.close()
  await server.end()
  await running.kill()
})

// What every kind of target keeps to; the live target of the same process is the measure.
t.test('regions, threads, modules and residency as of a live target', needsServer, async (t) => {
  const folder = scratch()
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, ['4', '4', '10', 'log:16:4096', join(folder, 'out')])
  const server = await gdbserver(['--attach'], [String(running.pid)])
  const remote = await open(server.where)
  const live = openLive(running.pid)
  t.same(remote.regions(), live.regions())
  for (const [i, region] of remote.regions().entries())
    if (i > 0) t.ok(region.start >= remote.regions()[i - 1]!.end, 'sorted')
  t.equal(remote.executable, live.executable)
  for (const key of ['wordBytes', 'machine', 'pageBytes', 'pid'] as const)
    t.equal(remote[key], live[key], key)
  const names = (threads: readonly { tid: number; name: string | null }[]) =>
    threads.map(({ tid, name }) => ({ tid, name }))
  t.same(names(remote.threads()), names(live.threads()))
  for (const { stackPointer, threadPointer } of remote.threads()) {
    const has = (pointer: bigint | null) =>
      pointer !== null && remote.regions().some(({ start, end }) => pointer >= start && pointer < end)
    t.ok(has(stackPointer) && has(threadPointer), 'pointers of threads lie in memory')
  }
  t.same(
    remote
      .modules()
      .map(({ path, base, loadBias, buildId, isProgram }) => ({ path, base, loadBias, buildId, isProgram })),
    live
      .modules()
      .map(({ path, base, loadBias, buildId, isProgram }) => ({ path, base, loadBias, buildId, isProgram })),
  )
  for (const { file, buildId } of remote.modules())
    t.ok(file !== null || buildId === null, 'each file is found')
  const ranges = ({ start, end }: { start: bigint; end: bigint }) => `${start}-${end}`
  t.same(remote.mappingUses().map(ranges), live.mappingUses().map(ranges))
  t.equal(remote.memoryTotals()!.swapBytes, live.memoryTotals()!.swapBytes)
  const heap = remote.regions().find(({ path }) => path === '[heap]')!
  t.equal(remote.residentBytes(heap.start, heap.end), live.residentBytes(heap.start, heap.end))
  const cpus = remote.surroundings()
  t.same(
    { ...cpus, memoryUsedBytes: null, quotaCpus: null, memoryLimitBytes: null },
    { ...live.surroundings(), memoryUsedBytes: null, quotaCpus: null, memoryLimitBytes: null },
  )
  const stacks = remote.stacks(20)
  t.equal(stacks.size, remote.threads().length)
  t.ok([...stacks.values()].some((frames) => frames.some(({ functionName }) => functionName === 'main')))
  t.ok(sizeOf(heap) > 0)
  remote.close()
  live.close()
  t.ok(await runsOn(running.pid))
  await server.end()
  await running.kill()
})

// The program's file is gone from its path: gdbserver still gives it, by /proc/PID/root or not at all.
t.test('files are fetched where this machine has another or none', needsServer, async (t) => {
  const folder = scratch()
  const path = join(folder, 'program')
  copyFileSync(compile(PAGES), path)
  const running = await start(path)
  const server = await gdbserver(['--attach'], [String(running.pid)])
  const remote = await open(server.where)
  const own = () => remote.modules().find(({ isProgram }) => isProgram)!
  t.equal(own().file, path, 'the same build-id here: no copy')
  rmSync(path)
  copyFileSync(compile('int main(void) { return 7; }'), path)
  remote.refresh()
  t.equal(own().file, null, 'another file under its path is not taken')
  t.match(own().fileProblem, /build-id differs/)
  remote.close()
  await running.kill()
  await server.end()
})

async function reportOf(choice: Parameters<typeof openSession>[0], useGdb = true): Promise<Report> {
  const session = await openSession(choice, { useGdb })
  try {
    return session.report
  } finally {
    await session.close()
  }
}

const figures = ({ heap }: Report) =>
  heap!.arenas.map(({ resident: _, trimReturnsBytes: __, ...arena }) => arena)

for (const [arenas, mib] of [
  [8, '3'],
  [3, '70'],
] as const) {
  t.test(
    `${arenas} arenas of ${mib} MiB: glibc's figures, and those of a live target`,
    needsServer,
    async (t) => {
      const folder = scratch()
      const out = join(folder, 'out')
      const program = compile('examples/programs/arena-bloat.c')
      const running = await start(program, [String(arenas), mib, '1', 'log:16:4096', out])
      const server = await gdbserver(['--multi'])
      const remote = await reportOf({ kind: 'gdb', remote: server.where, pid: running.pid })
      const live = await reportOf({ kind: 'live', pid: running.pid })
      t.same(asTruth(remote), glibcTruth(`${out}.malloc_info.xml`, `${out}.malloc_stats.txt`))
      t.same(figures(remote), figures(live))
      t.same(remote.heap!.mmapped, live.heap!.mmapped)
      t.same(remote.heap!.threads, live.heap!.threads)
      t.equal(remote.heap!.totals.liveBytes, live.heap!.totals.liveBytes)
      t.same(remote.target.glibc, live.target.glibc)
      t.equal(remote.target.kind, 'gdb')
      t.equal(remote.target.label, `${server.where} pid ${running.pid}`)
      t.ok(remote.complete)
      t.ok(
        remote.target.stop!.stoodStillMs > 0 && remote.target.stop!.stops >= 1,
        'it says how long it stood still',
      )
      t.ok(await runsOn(running.pid))
      // gdbserver listens on: the same again.
      t.same(figures(await reportOf({ kind: 'gdb', remote: server.where, pid: running.pid })), figures(live))
      await server.end()
      await running.kill()
    },
  )
}

for (const shape of ['mmapped', 'fastbins', 'noncontiguous']) {
  t.test(`shape ${shape}`, needsServer, async (t) => {
    const folder = scratch()
    const out = join(folder, 'out')
    const running = await start(compile('test/programs/heap-shapes.c'), [shape, out], { cwd: folder })
    const server = await gdbserver(['--attach'], [String(running.pid)])
    const remote = await reportOf({ kind: 'gdb', remote: server.where, pid: null })
    t.same(asTruth(remote), glibcTruth(`${out}.xml`, `${out}.txt`))
    await server.end()
    await running.kill()
  })
}

t.test('between two looks it runs, and a look is of the moment', needsServer, async (t) => {
  const { out, running } = await bloat('4')
  const server = await gdbserver(['--multi'])
  const session = await openSession({ kind: 'gdb', remote: server.where, pid: running.pid })
  t.ok(await runsOn(running.pid), 'after measuring')
  const { beats } = await longestGap(`${out}.hb`, () => new Promise((resolve) => setTimeout(resolve, 300)))
  t.ok(beats > 0, 'the heart beats')
  const before = session.report
  const again = await session.refresh()
  t.same(figures(again), figures(before))
  t.ok(again.target.stop!.stops >= 1)
  t.ok(session.read(address(BigInt(again.heap!.arenas[0]!.address)), 64).known.every((known) => known === 1))
  t.ok(await runsOn(running.pid), 'after a read')
  await session.close()
  await server.end()
  await running.kill()
})

async function bloat(arenas: string, mib = '4'): Promise<{ out: string; running: Running }> {
  const out = join(scratch(), 'out')
  const program = compile('examples/programs/arena-bloat.c')
  return { out, running: await start(program, [arenas, mib, '10', 'log:16:4096', out]) }
}

const scratchFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('arena-inspect-gdb-'))

t.test('the target lives on when we are killed in the middle', needsServer, async (t) => {
  const { out, running } = await bloat('8', '8')
  for (const afterMs of [150, 400, 700, 1100, 1600, 2400]) {
    const before = new Set(scratchFolders())
    const server = await gdbserver(['--attach'], [String(running.pid)])
    const { child, ended } = startArenaInspect(['report', '--gdb-remote', server.where])
    // Killed at many moments: before, during and after the connection.
    let wasStill = 0
    const until = performance.now() + afterMs
    while (performance.now() < until) {
      if (stateOf(running.pid).state === 't') wasStill++
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    child.kill('SIGKILL')
    await ended
    const connected = /Remote debugging from/.test(server.said())
    // gdbserver stops it before anybody connects, and nobody but gdbserver can let it go then.
    if (!connected) await server.end()
    t.ok(
      await runsOn(running.pid),
      `killed after ${afterMs} ms (connected: ${connected}, stood still: ${wasStill > 0})`,
    )
    const { beats } = await longestGap(`${out}.hb`, () => new Promise((resolve) => setTimeout(resolve, 200)))
    t.ok(beats > 0, 'the heart beats')
    if (!connected) continue
    await server.end()
    await waitUntil('no folder with pipes stays', () =>
      scratchFolders().every((name) => before.has(name) || !existsSync(join(tmpdir(), name, 'requests'))),
    )
  }
  await running.kill()
})

t.test('gdbserver is killed in the middle', needsServer, async (t) => {
  const { running } = await bloat('8', '30')
  const server = await gdbserver(['--multi'])
  let killed = false
  await t.rejects(
    openSession(
      { kind: 'gdb', remote: server.where, pid: running.pid },
      {
        progress: async (done) => {
          if (done >= 1 && !killed) {
            killed = true
            await server.end('SIGKILL')
          }
        },
      },
    ),
    { name: 'TargetError', message: /the connection to 127\.0\.0\.1:\d+ was lost/ },
  )
  t.ok(killed)
  t.ok(await runsOn(running.pid), 'the kernel lets it run')
  await running.kill()
})

/** A TCP server that answers each packet by `reply`. */
async function fakeStub(t: Test, reply: (data: Buffer) => Buffer | string | null): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const answer = reply(data)
      if (answer === null) socket.destroy()
      else socket.write(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

const packet = (text: string) =>
  `$${text}#${([...text].reduce((sum, c) => sum + c.charCodeAt(0), 0) & 255).toString(16).padStart(2, '0')}`

// Side by side: some are waited for as long as gdb waits.
t.test('what is no gdbserver', async (t) => {
  const stubs: [string, () => Buffer | string | null][] = [
    ['a web server', () => 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['noise', () => Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255))],
    ['an end of the connection', () => null],
    ['yes to all', () => `+${packet('OK')}`],
    ['errors only', () => `+${packet('E01')}`],
    ['odd sizes', () => `+${packet('PacketSize=ffffffffffffffff;qXfer:features:read+')}`],
    ['nothing at all', () => ''],
  ]
  const answers = stubs.map(async ([name, reply]) => {
    const where = await fakeStub(t, reply)
    const ended = await arenaInspect(['report', '--gdb-remote', where])
    return { name, where, ...ended }
  })
  for (const { name, where, code, stderr, stdout } of await Promise.all(answers)) {
    t.equal(code, 1, name)
    t.equal(stdout, '')
    const [line, ...more] = stderr.trim().split('\n')
    t.match(line, where)
    t.notMatch(line, /\p{Cc}/u, 'one printable line')
    t.same(more, [])
  }
})

t.test('the command line', needsServer, async (t) => {
  const { running } = await bloat('3')
  const pid = String(running.pid)
  const server = await gdbserver(['--multi'])
  const remote = ['--gdb-remote', server.where]
  const asked = (...args: string[]) => arenaInspect(args)
  for (const [args, code, says] of [
    [['report', '--gdb-remote', '|sh:1'], 2, /is not HOST:PORT/],
    [['report', '--gdb-remote', 'host'], 2, /is not HOST:PORT/],
    [['report', '--gdb-remote', 'host:70000'], 2, /is not HOST:PORT/],
    [['report', ...remote, '--no-gdb'], 2, /leave out --no-gdb/],
    [['report', ...remote, '--stop'], 2, /stands still anyway/],
    [['report', ...remote, '--pid', 'x'], 2, /--pid takes a process id/],
    [['report', '--gdb-remote', '127.0.0.1:1'], 1, /refused the connection/],
    [['report', ...remote], 1, /has no process; name one with --pid N/],
    [['report', ...remote, '--pid', '4194305'], 1, /cannot stop the process/],
    [['trim', ...remote, '--pid', pid], 2, /nothing is run inside a process through --gdb-remote/],
    [['stats', ...remote], 2, /nothing is run inside a process through --gdb-remote/],
  ] as const) {
    const ended = await asked(...args)
    t.equal(ended.code, code, args.join(' '))
    t.match(ended.stderr, says)
    t.equal(ended.stderr.trim().split('\n').length, 1, 'one line')
    t.equal(ended.stdout, '')
  }
  const text = await asked('report', ...remote, '--pid', pid)
  t.equal(text.code, 0, text.stderr)
  t.match(text.stdout, new RegExp(`${server.where} pid ${pid} · \\d+ threads · stood still \\d+ ms`))
  for (const args of [
    ['maps'],
    ['heaps'],
    ['arenas'],
    ['bins'],
    ['chunks', '--used', '--limit', '50'],
    ['x'],
  ]) {
    const where = args[0] === 'x' ? ['main_arena', '--count', '20'] : []
    const [ours, theirs] = [
      await asked(...args, ...remote, '--pid', pid, ...where, '--json'),
      await asked(...args, '--pid', pid, ...where, '--json'),
    ]
    t.equal(ours.code, 0, `${args[0]}: ${ours.stderr}`)
    // Residency of pages moves by itself.
    if (args[0] === 'maps' || args[0] === 'arenas')
      t.same(Object.keys(JSON.parse(ours.stdout)), Object.keys(JSON.parse(theirs.stdout)))
    else t.equal(ours.stdout, theirs.stdout, `${args[0]}: as live`)
  }
  t.ok(await runsOn(running.pid))
  await server.end()
  await running.kill()
})

t.test('gdb is asked to serve pipes whose maker is gone: it ends, and takes them away', needsServer, (t) => {
  const folder = mkdtempSync(join(scratch(), 'pipes-'))
  execFileSync('mkfifo', [join(folder, 'requests'), join(folder, 'answers')])
  const command = `arena-inspect-remote ${folder} 127.0.0.1:1 5 0`
  const scripts = ['stub', 'remote'].flatMap((name) => [
    '-x',
    join(ROOT, `gdb-scripts/arena_inspect_${name}.py`),
  ])
  const args = ['-nx', '-batch', ...scripts, '-ex', command]
  const { status, signal } = spawnSync('gdb', args, { encoding: 'utf8', timeout: 60_000 })
  t.same({ status, signal }, { status: 0, signal: null })
  t.notOk(existsSync(folder))
  t.end()
})
