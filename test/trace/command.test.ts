// `arena-inspect trace` as a user runs it: each way to end it, files, symbols elsewhere, and what cannot be done.
import { type ChildProcess, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Trace } from '../../src/trace/trace.js'
import { arenaInspect, type Ended, startArenaInspect } from '../support/command.js'
import { endWithUs } from '../support/end-with-us.js'
import { type Mapper, mapperProgram, startMapper } from '../support/mapper.js'
import { scratch } from '../support/programs.js'
import { endingOf, waitUntil } from '../support/wait-until.js'

interface Tracing {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** The command, once it watches. */
async function trace(mapper: Mapper, args: readonly string[]): Promise<Tracing> {
  const { child, ended, stderr, ending } = startArenaInspect([
    'trace',
    '--pid',
    String(mapper.pid),
    '--recorder',
    'gdb',
    ...args,
  ])
  await waitUntil('it watches', () => stderr().includes('watching process'), ending)
  return { child, ended }
}

function read(file: string): Trace {
  return JSON.parse(readFileSync(file, 'utf8')) as Trace
}

function tracerOf(pid: number): number {
  return Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

async function livesOn(t: Test, mapper: Mapper): Promise<void> {
  await waitUntil('nobody traces it', () => tracerOf(mapper.pid) === 0)
  const before = mapper.beats()
  const beats = () => mapper.beats() > before + 20
  await waitUntil('its heart beats', beats, mapper.ending).catch((error: unknown) => {
    t.comment(readFileSync(`/proc/${mapper.pid}/status`, 'utf8'))
    throw error
  })
  t.notMatch(readFileSync(`/proc/${mapper.pid}/status`, 'utf8'), /^State:\s*[TtZX]/m)
}

t.test('Ctrl-C and SIGTERM finish the file; exit codes 130 and 143', async (t) => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const mapper = await startMapper(['path', '3'])
    const file = join(scratch(), 'trace.json')
    const { child, ended } = await trace(mapper, ['-o', file])
    const counts = await mapper.work()
    child.kill(signal)
    const { code: got, stdout, stderr } = await ended
    t.equal(got, code)
    t.equal(stdout, '')
    t.match(stderr, /recording with gdb \(asked for\)/)
    t.match(stderr, /wrote .*: 6 calls/)
    await livesOn(t, mapper)
    const saved = read(file)
    t.equal(saved.ending, signal)
    t.equal(saved.recorder, 'gdb')
    t.match(saved.mapped, { calls: counts.mmapCalls, bytes: counts.mmapBytes })
    t.equal(saved.mapped.stillMappedBytes, counts.mmapBytes - counts.unmapBytes)
    t.equal(saved.events.length, counts.mmapCalls)
    t.ok(saved.frames.some((frame) => frame.function === 'map_region' && /:\d+$/.test(frame.source!)))
    t.same(readdirSync(join(file, '..')), ['trace.json'], 'no draft is left')
    await mapper.end()
  }
})

t.test('text on stdout when the time is up; `show` in every format', async (t) => {
  const mapper = await startMapper(['arenas', '3'])
  const file = join(scratch(), 'trace.json')
  const first = await trace(mapper, ['--for', '4s'])
  const second = mapper.work()
  const { code, stdout } = await first.ended
  await second
  t.equal(code, 0)
  t.match(stdout, /until the time was up/)
  t.match(stdout, /malloc: 3 arenas born, 3 heaps in all, for which 192\.0 MiB/)
  t.match(stdout, /arena_main/)
  t.match(stdout, /lost events: none/)
  await mapper.end()
  const other = await startMapper(['path', '2'])
  const { child, ended } = await trace(other, ['-o', file])
  await other.work()
  child.kill('SIGINT')
  await ended
  for (const [format, words] of [
    ['text', /map_region/],
    ['json', /"schema":"arena-inspect-trace\/1"/],
    ['folded', /main;run_path;a;b;c;map_region;.* \d+/],
    ['speedscope', /file-format-schema\.json/],
    ['html', /<!doctype html>[\s\S]*map_region/],
  ] as const) {
    const shown = await arenaInspect(['trace', 'show', file, '--format', format])
    t.equal(shown.code, 0)
    t.match(shown.stdout, words, format)
  }
  await other.end()
})

t.test('the process ends: so does the trace, with what it had', async (t) => {
  const mapper = await startMapper(['path', '3'])
  const file = join(scratch(), 'trace.json')
  const { ended } = await trace(mapper, ['-o', file])
  const counts = await mapper.work()
  mapper.child.stdin!.write('end\n')
  t.equal((await ended).code, 0)
  const saved = read(file)
  t.equal(saved.ending, 'target-ended')
  t.equal(saved.mapped.stillMappedBytes, counts.mmapBytes - counts.unmapBytes)
  t.ok(saved.frames.some((frame) => frame.function === 'map_region'))
})

t.test('SIGKILL of the command at any moment: the process lives on, the last file is whole', async (t) => {
  const mapper = await startMapper(['rate', '1000', '3600', '70000000', '4'])
  t.teardown(() => mapper.end())
  mapper.go()
  const folder = scratch()
  for (let round = 0; round < 5; round++) {
    const file = join(folder, `trace-${round}.json`)
    const args = ['trace', '--pid', String(mapper.pid), '--recorder', 'gdb', '-o', file]
    const { child, ended, stderr, ending } = startArenaInspect(args)
    await waitUntil('it attaches', () => tracerOf(mapper.pid) !== 0, ending)
    if (round % 2 === 0) await waitUntil('it watches', () => stderr().includes('watching process'), ending)
    if (round === 2) await new Promise((resolve) => setTimeout(resolve, 500))
    child.kill('SIGKILL')
    t.equal((await ended).signal, 'SIGKILL')
    await livesOn(t, mapper)
    if (round % 2 === 0) t.ok(existsSync(file), 'it is there before the watch is said to begin')
    if (existsSync(file)) t.match(read(file), { ending: 'still-running' })
  }
})

t.test('symbols later and elsewhere, by build-id', async (t) => {
  const folder = scratch()
  const program = join(folder, 'mapper')
  copyFileSync(mapperProgram(), program)
  const { chmodSync } = await import('node:fs')
  chmodSync(program, 0o755)
  const mapper = await startMapper(['path', '2'], { program })
  const file = join(folder, 'trace.json')
  const { child, ended } = await trace(mapper, ['-o', file])
  await mapper.work()
  child.kill('SIGINT')
  await ended
  await mapper.end()
  const full = read(file)
  const bare = {
    ...full,
    frames: full.frames.map((frame) => ({ ...frame, function: null, source: null, inlined: [] })),
  }
  const bareFile = join(folder, 'bare.json')
  writeFileSync(bareFile, JSON.stringify(bare))
  // The program is no longer where it was, and another build lies there.
  const symbols = join(folder, 'symbols', 'deep')
  mkdirSync(symbols, { recursive: true })
  copyFileSync(program, join(symbols, 'kept'))
  rmSync(program)
  copyFileSync('/bin/true', program)
  const out = join(folder, 'out.json')
  const without = await arenaInspect(['trace', 'symbolize', bareFile, '-o', out, '--strict'])
  t.equal(without.code, 4)
  t.match(without.stderr, /no symbols for .*mapper \(build-id [0-9a-f]+\): another build is at its path/)
  t.ok(
    read(out).frames.some((frame) => /mmap/.test(frame.function ?? '')),
    'libc is where it was',
  )
  t.notOk(read(out).frames.some((frame) => frame.function === 'map_region'))
  const found = await arenaInspect([
    'trace',
    'symbolize',
    bareFile,
    '--symbols',
    join(folder, 'symbols'),
    '--strict',
  ])
  t.equal(found.code, 0)
  t.match(found.stderr, /places in code have names, \d+ of them new/)
  const { frames } = read(bareFile)
  t.same(frames, full.frames, 'the same names as at the time')
})

t.test('saved each so often with what is known by then, and losses are shown', async (t) => {
  const folder = scratch()
  const file = join(folder, 'lost.json')
  const { fakeTrace } = await import('../fakes/trace.js')
  writeFileSync(file, JSON.stringify(fakeTrace({ lostEvents: 31 })))
  const shown = await arenaInspect(['trace', 'show', file])
  t.match(shown.stdout, /LOST: 31 events were lost/)
  t.match(shown.stderr, /31 events were lost/)
})

t.test('what cannot be done: one line and what to do', async (t) => {
  const mapper = await startMapper(['path', '1'])
  const pid = String(mapper.pid)
  const cases: readonly [readonly string[], number, RegExp][] = [
    [['trace'], 2, /name the process with --pid N/],
    [['trace', '--pid', 'x'], 2, /--pid takes a process id/],
    [['trace', '--pid', '999999999'], 1, /no process 999999999/],
    [['trace', '--pid', pid, '--min', 'much'], 2, /--min takes a size/],
    [['trace', '--pid', pid, '--for', 'ever'], 2, /--for takes a time/],
    [['trace', '--pid', pid, '--recorder', 'gdb', '--gdb', '/no/gdb'], 1, /gdb not found/],
    [['trace', '--pid', pid, '--recorder', 'gdb', '-o', '/no/such/folder/x'], 1, /cannot write .*ENOENT/],
    [['trace', 'show', '/no/such'], 1, /cannot read \/no\/such \(ENOENT\)/],
    [['trace', 'show', '/bin/true'], 1, /is not a trace: it is no JSON/],
    [['trace', 'symbolize', '/bin/true'], 1, /is not a trace/],
    [['trace', '--pid', '2'], 1, /kernel thread|no process/],
  ]
  for (const [args, code, message] of cases) {
    const ended = await arenaInspect(args)
    t.equal(ended.code, code, args.join(' '))
    t.match(ended.stderr, message)
    t.equal(ended.stdout, '')
    t.ok(ended.stderr.trimEnd().split('\n').length <= 3, 'short')
  }
  await livesOn(t, mapper)
  if (process.getuid?.() === 0) {
    const denied = await arenaInspect(['trace', '--pid', pid, '--recorder', 'gdb'], {
      uid: 65534,
      gid: 65534,
    })
    t.equal(denied.code, 1)
    t.match(denied.stderr, /it belongs to user 0, you are user 65534/)
    t.match(denied.stderr, /sudo/)
  }
  const holder = endWithUs(
    spawn('gdb', ['-nx', '-q', '-batch', '-p', pid, '-ex', 'shell sleep 60'], { stdio: 'ignore' }),
  )
  await waitUntil('another gdb holds it', () => tracerOf(mapper.pid) !== 0, endingOf(holder))
  const held = await arenaInspect(['trace', '--pid', pid, '--recorder', 'gdb'])
  t.equal(held.code, 1)
  t.match(held.stderr, /is traced by process \d+/)
  holder.kill('SIGKILL')
  await mapper.end()
})
