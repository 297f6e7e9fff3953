// The perf recorder on real processes: the same calls and stacks as gdb sees, nothing lost silently, nothing left behind.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hex } from '../../src/memory/address.js'
import { gdbRecorder } from '../../src/trace/gdb-recorder.js'
import { LiveCode } from '../../src/trace/live-code.js'
import { perfRecorder } from '../../src/trace/perf-recorder.js'
import { symbolize } from '../../src/trace/symbolize.js'
import type { Recorder, Recording, TraceEvent } from '../../src/trace/trace-event.js'
import { type TracedParts, TraceState } from '../../src/trace/trace-state.js'
import { arenaInspect, startArenaInspect } from '../support/command.js'
import { type Mapper, mapperProgram, startMapper } from '../support/mapper.js'
import { scratch } from '../support/programs.js'
import { waitUntil } from '../support/wait-until.js'

const MIN = 60 * 2 ** 20
const whyNot = await perfRecorder.whyNot(process.pid)
const skip = whyNot === null ? false : `perf cannot be used here: ${whyNot}`

interface Recorded {
  readonly mapper: Mapper
  readonly code: LiveCode
  readonly state: TraceState
  readonly events: TraceEvent[]
  readonly recording: Recording
}

async function record(
  mapper: Mapper,
  recorder: Recorder = perfRecorder,
  minimumBytes = MIN,
): Promise<Recorded> {
  const code = new LiveCode(mapper.pid)
  const state = new TraceState(code)
  const events: TraceEvent[] = []
  const recording = await recorder.start({
    pid: mapper.pid,
    minimumBytes,
    onEvent: (event) => {
      events.push(event)
      state.add(event)
    },
  })
  return { mapper, code, state, events, recording }
}

/** Stops the recording; the heart beats on. */
async function stop(t: Test, { recording, state, code, mapper }: Recorded): Promise<TracedParts> {
  await recording.stop()
  const before = mapper.beats()
  await waitUntil('its heart beats', () => mapper.beats() > before + 20, mapper.ending)
  t.same(perfsOf(mapper.pid), [], 'no perf is left')
  state.checkAgainstMaps(Date.now())
  code.close()
  return state.parts()
}

/** Processes of perf that watch `pid`. */
function perfsOf(pid: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
        return words[0] === 'perf' && words[words.indexOf('--pid') + 1]?.split(',')[0] === String(pid)
      } catch {
        return false
      }
    })
}

async function stacksOf(parts: TracedParts) {
  const { frames } = await symbolize(parts, { folders: [] })
  return parts.groups
    .filter(({ stack }) => stack !== null)
    .map((group) => {
      const { frames: numbers, cut } = parts.stacks[group.stack!]!
      return {
        group,
        cut,
        names: numbers.flatMap((number) => [...frames[number]!.inlined, frames[number]!.function]),
        places: numbers.map((number) => {
          const { module, address } = frames[number]!
          return `${module === null ? null : parts.modules[module]!.path} ${address}`
        }),
      }
    })
}

t.test('the whole path of each thread, and what the program says it mapped', { skip }, async (t) => {
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
  const thread = stacks.find(({ names }) => names.includes('thread_main'))!
  t.same(thread.names.slice(1), [...path, 'thread_main', 'start_thread', thread.names.at(-1)])
  t.match(thread.names.at(-1), /^_*clone3?$/)
  t.same([main.cut, thread.cut], [false, false])
  t.same(
    thread.group.threads.map(({ name }) => name),
    ['mapper-thread'],
  )
  await recorded.mapper.end()
})

t.test('the same places in code as gdb finds', { skip }, async (t) => {
  const mapper = await startMapper(['path', '3', '1'])
  const found: string[][][] = []
  for (const recorder of [perfRecorder, gdbRecorder]) {
    const recorded = await record(mapper, recorder)
    await mapper.work()
    const stacks = await stacksOf(await stop(t, recorded))
    found.push(stacks.map(({ places }) => places).sort())
  }
  t.equal(found[0]!.length, 2)
  t.same(found[0], found[1])
  await mapper.end()
})

t.test('mremap moves what was mapped and adds to it; brk up and down', { skip }, async (t) => {
  const recorded = await record(await startMapper(['grow', '3']))
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  const of = (name: 'mmapCalls' | 'mremapCalls' | 'brkCalls') =>
    parts.groups.find((group) => group[name] > 0)!
  t.same(
    [of('mmapCalls').calls, of('mmapCalls').bytes],
    [counts.mmapCalls, counts.mmapBytes],
    // What came, should it ever not be what was called.
    JSON.stringify(recorded.events, (_, value) => (typeof value === 'bigint' ? hex(value) : value)),
  )
  t.equal(of('mmapCalls').stillMappedBytes, counts.mmapBytes, 'wherever it is now')
  t.same([of('mremapCalls').calls, of('mremapCalls').bytes], [counts.mremapCalls, counts.mremapBytes])
  t.equal(of('mremapCalls').stillMappedBytes, counts.mremapBytes)
  t.same([of('brkCalls').calls, of('brkCalls').bytes], [counts.brkCalls, counts.brkBytes])
  t.equal(of('brkCalls').stillMappedBytes, counts.brkBytes - counts.unmapBytes)
  t.equal(parts.checkedAgainstMaps?.goneUnseenBytes, 0)
  const stacks = await stacksOf(parts)
  t.equal(stacks.length, 3)
  t.ok(stacks.every(({ names, cut }) => !cut && names.includes('grow') && names.at(-1) === '_start'))
  t.equal(parts.lostEvents, 0)
  await recorded.mapper.end()
})

t.test(
  'each birth of an arena and of a heap, and what malloc gives back of it at once',
  { skip },
  async (t) => {
    for (const minimum of [MIN, 2 ** 40]) {
      const recorded = await record(await startMapper(['arenas', '5', '100']), perfRecorder, minimum)
      const counts = await recorded.mapper.work()
      const parts = await stop(t, recorded)
      t.equal(counts.arenas, 5)
      t.same(parts.births, {
        arenas: counts.arenas,
        heaps: counts.heaps,
        reservedBytes: counts.heaps * 64 * 2 ** 20,
      })
      t.equal(parts.mapped.stillMappedBytes, 0)
      for (const { names, group } of await stacksOf(parts)) {
        t.ok(names.includes('arena_main') && names.includes('start_thread'))
        t.equal(names.includes('_int_new_arena'), group.arenas > 0, 'libc agrees which they are')
      }
      await recorded.mapper.end()
    }
  },
)

t.test('children of a fork are not counted; another program in the same process is', { skip }, async (t) => {
  const forking = await record(await startMapper(['fork', '2']))
  const forked = await forking.mapper.work()
  const own = await stop(t, forking)
  t.equal(forked.mmapCalls, 2)
  t.same([own.mapped.calls, own.mapped.stillMappedBytes], [2, forked.mmapBytes])
  await forking.mapper.end()
  const executing = await record(await startMapper(['exec', '2']))
  const { mapper } = executing
  mapper.go()
  const first = perfsOf(mapper.pid)
  t.match(await mapper.line(), /^ready/, 'it runs as another program')
  // perf walks no stacks where a library lies elsewhere than before: another perf takes over.
  const hasTakenOver = () => {
    const now = perfsOf(mapper.pid)
    return now.length === 1 && now[0] !== first[0]
  }
  await waitUntil('another perf has taken over', hasTakenOver, mapper.ending)
  const counts = await mapper.work()
  const parts = await stop(t, executing)
  t.equal(parts.mapped.calls, 2 + counts.mmapCalls)
  t.equal(parts.mapped.stillMappedBytes, counts.mmapBytes - counts.unmapBytes, 'of the second program only')
  t.equal(parts.lostEvents, 0)
  const stacks = await stacksOf(parts)
  for (const { names, cut } of stacks) {
    t.equal(cut, false)
    t.ok(names.at(-1) === '_start' || names.includes('thread_main'), names.join(' '))
  }
  await mapper.end()
})

t.test('threads that live for one call have their names and stacks', { skip }, async (t) => {
  const recorded = await record(await startMapper(['churn']))
  let calls = 0
  for (let round = 0; round < 30; round++) calls = (await recorded.mapper.work()).mmapCalls
  const parts = await stop(t, recorded)
  t.equal(calls, 30)
  t.equal(parts.mapped.calls, calls)
  t.equal(parts.lostEvents, 0)
  const stacks = await stacksOf(parts)
  t.equal(stacks.length, 1)
  t.equal(stacks[0]!.cut, false)
  t.ok(stacks[0]!.names.includes('start_thread'))
  await recorded.mapper.end()
})

t.test('a stack that is longer than perf can copy is marked', { skip }, async (t) => {
  const recorded = await record(await startMapper(['path', '2', '100']))
  await recorded.mapper.work()
  const parts = await stop(t, recorded)
  const stacks = await stacksOf(parts)
  t.equal(stacks.length, 1, 'what is left is the same for both threads')
  for (const { names, cut } of stacks) {
    t.equal(cut, true)
    t.same(names.slice(1, 3), ['map_region', 'c'])
    t.ok(names.length > 40 && !names.includes('run_path'))
  }
  await recorded.mapper.end()
})

t.test('as many calls as a program can make: each is counted, or told as lost', { skip }, async (t) => {
  const recorded = await record(await startMapper(['rate', '10000', '3', '70000000', '2']))
  const counts = await recorded.mapper.work()
  const parts = await stop(t, recorded)
  t.ok(counts.mmapCalls > 1000, `${counts.mmapCalls} calls`)
  t.ok(parts.mapped.calls <= counts.mmapCalls)
  t.ok(parts.mapped.calls + parts.lostEvents >= counts.mmapCalls, `${parts.lostEvents} lost`)
  t.equal(parts.mapped.bytes, parts.mapped.calls * 70_000_640, 'whole pages of each')
  t.equal(parts.mapped.stillMappedBytes, 0)
  const without = parts.groups.find(({ stack }) => stack === null)?.calls ?? 0
  t.comment(
    `${counts.mmapCalls} calls, ${parts.mapped.calls} counted, ${without} of them without a stack, ${parts.lostEvents} lost; the last was ${counts.behindMs} ms late`,
  )
  await recorded.mapper.end()
})

t.test('the end of the process ends the recording', { skip }, async (t) => {
  const mapper = await startMapper(['path', '2'])
  const recorded = await record(mapper)
  const counts = await mapper.work()
  mapper.child.stdin!.write('end\n')
  t.equal(await recorded.recording.ended, null)
  t.equal(recorded.state.parts().mapped.calls, counts.mmapCalls)
  await recorded.recording.stop()
  recorded.code.close()
  t.same(perfsOf(mapper.pid), [])
})

t.test('perf is killed: the recording says so, and the process lives on', { skip }, async (t) => {
  const mapper = await startMapper(['rate', '500', '3600', '70000000', '2'])
  mapper.go()
  for (const which of ['record', 'script']) {
    const recorded = await record(mapper)
    await waitUntil('events come', () => recorded.events.length > 50, mapper.ending)
    // Other tests run perf as well.
    const own = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'pid,args'], { encoding: 'utf8' })
    const line = own.split('\n').filter((text) => new RegExp(`^ *\\d+ perf ${which} `).test(text))
    t.equal(line.length, 1)
    process.kill(Number.parseInt(line[0]!, 10), 'SIGKILL')
    t.match(await recorded.recording.ended, /^perf ended: /)
    await stop(t, recorded)
  }
  await mapper.end()
})

t.test('the command: perf is chosen, and leaves nothing behind however it ends', { skip }, async (t) => {
  const mapper = await startMapper(['path', '2'])
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const file = join(scratch(), 'trace.json')
    const args = ['trace', '--pid', String(mapper.pid), '-o', file]
    const { child, ended, stderr, ending } = startArenaInspect(args)
    await waitUntil('it watches', () => stderr().includes('watching process'), ending)
    t.match(stderr(), /recording with perf \(it costs the target least\)/)
    t.equal(perfsOf(mapper.pid).length, 1)
    await mapper.work()
    child.kill(signal)
    await ended
    await waitUntil('perf is gone', () => perfsOf(mapper.pid).length === 0)
    if (signal === 'SIGINT') t.match(stderr(), /wrote .*: 4 calls/)
  }
  const before = mapper.beats()
  await waitUntil('its heart beats', () => mapper.beats() > before + 20, mapper.ending)
  await mapper.end()
})

t.test('where perf cannot be used, gdb is, and the reason is told', async (t) => {
  const mapper = await startMapper(['path', '2'])
  const bin = scratch()
  for (const name of ['gdb', 'sh', 'env', 'sed', 'grep', 'cut', 'sleep', 'cat', 'kill', 'ps']) {
    const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    if (path.startsWith('/')) symlinkSync(path, join(bin, name))
  }
  const cases: [string, string | null, RegExp][] = [
    ['none', null, /perf cannot be used: there is no perf in PATH/],
    ['old', 'echo "dwarf: [ on ]"', /this perf can walk no stacks/],
    ['broken', 'echo "perf_9 not found" >&2; exit 2', /perf does not run: perf_9 not found/],
    [
      'refused',
      'case $1 in version) echo "libunwind: [ on  ]";; *) echo "No permission to enable sys_enter_mmap event." >&2; exit 255;; esac',
      /perf is not allowed to watch it \(run as root/,
    ],
  ]
  for (const [name, script, reason] of cases) {
    const folder = join(bin, name)
    mkdirSync(folder)
    if (script !== null) {
      writeFileSync(join(folder, 'perf'), `#!/bin/sh\n${script}\n`)
      chmodSync(join(folder, 'perf'), 0o755)
    }
    const env = { ...process.env, PATH: `${folder}:${bin}` }
    const args = ['trace', '--pid', String(mapper.pid), '--for', '1s']
    const { code, stderr } = await arenaInspect(args, { env })
    t.equal(code, 0, stderr)
    t.match(stderr, /recording with gdb/)
    t.match(stderr, reason)
    const asked = await arenaInspect([...args, '--recorder', 'perf'], { env })
    t.equal(asked.code, 1)
    t.match(asked.stderr, reason)
  }
  await mapper.end()
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

t.test('programs of 32 bits are left to gdb', { skip: skip || no32Bits() }, async (t) => {
  const mapper = await startMapper(['path', '1'], { program: mapperProgram(['-m32']) })
  t.match(await perfRecorder.whyNot(mapper.pid), /32-bit/)
  await mapper.end()
})
