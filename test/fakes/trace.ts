// A trace by hand: two modules, inlined code, a birth, a cut stack; and one whose every text is hostile.
import { TRACE_SCHEMA, type Trace, type TraceGroup } from '../../src/trace/trace.js'

const SUM = {
  calls: 2,
  bytes: 200 << 20,
  stillMappedCalls: 1,
  stillMappedBytes: 100 << 20,
  untrackedCalls: 0,
  untrackedBytes: 0,
}

export function fakeGroup(changes: Partial<TraceGroup> = {}): TraceGroup {
  return {
    kind: 'map',
    stack: 0,
    other: false,
    ...SUM,
    mmapCalls: 2,
    mremapCalls: 0,
    brkCalls: 0,
    arenas: 0,
    heaps: 0,
    firstAtMs: 1_700_000_000_000,
    lastAtMs: 1_700_000_005_000,
    threads: [{ name: 'worker', calls: 2, bytes: 200 << 20 }],
    ...changes,
  }
}

export function fakeTrace(changes: Partial<Trace> = {}): Trace {
  return {
    schema: TRACE_SCHEMA,
    tool: { name: 'arena-inspect', version: '0.0.0' },
    target: { pid: 6, executable: '/opt/memsqld', machine: 'x86_64' },
    recorder: 'gdb',
    recorderWhy: 'asked for',
    minimumBytes: 60 << 20,
    startedAtMs: 1_700_000_000_000,
    endedAtMs: 1_700_000_060_000,
    ending: 'SIGINT',
    endingWhy: null,
    mapped: SUM,
    births: { arenas: 1, heaps: 2, reservedBytes: 128 << 20 },
    lostEvents: 0,
    gaps: [],
    gapsNotKept: 0,
    modules: [
      { path: '/opt/memsqld', buildId: 'ab12', base: '0x400000', loadBias: '0x0', isProgram: true },
      { path: '/lib/libc.so.6', buildId: null, base: '0x7f0000000000', loadBias: null, isProgram: false },
    ],
    frames: [
      { module: 1, address: '0x1019b2', function: 'mmap64', source: 'mmap64.c:58', inlined: [] },
      {
        module: 0,
        address: '0x1234',
        function: 'ns::grow(int)',
        source: 'grow.cc:7',
        inlined: ['ns::helper()'],
      },
      { module: 0, address: '0x2345', function: null, source: null, inlined: [] },
      { module: null, address: '0x7fff00001000', function: null, source: null, inlined: [] },
    ],
    stacks: [
      { frames: [0, 1, 2], cut: false },
      { frames: [0, 3], cut: true },
    ],
    threads: [{ tid: 7, name: 'worker' }],
    groups: [fakeGroup(), fakeGroup({ kind: 'birth', stack: 1, arenas: 1, heaps: 2, bytes: 128 << 20 })],
    callsWithoutGroup: 0,
    events: [
      {
        atMs: 1_700_000_000_000,
        group: 0,
        tid: 7,
        call: 'mmap',
        address: '0x7f1100000000',
        bytes: 100 << 20,
        mallocBirth: null,
      },
    ],
    eventsNotKept: 1,
    checkedAgainstMaps: { atMs: 1_700_000_060_000, goneUnseenBytes: 0 },
    ...changes,
  }
}

export const HOSTILE = 'x\x1b[31m\n;<script>\u202e'

/** Every text of it that comes from a target is HOSTILE. */
export function hostileTrace(): Trace {
  return fakeTrace({
    target: { pid: 6, executable: HOSTILE, machine: 'x86_64' },
    recorderWhy: HOSTILE,
    ending: 'recorder-failed',
    endingWhy: HOSTILE,
    gaps: [{ atMs: 1_700_000_000_000, untilMs: 1_700_000_001_000, why: HOSTILE }],
    modules: fakeTrace().modules.map((module) => ({ ...module, path: `/${HOSTILE}` })),
    frames: fakeTrace().frames.map((frame, index) =>
      index === 2 ? frame : { ...frame, function: HOSTILE, source: `${HOSTILE}:3`, inlined: [HOSTILE] },
    ),
    groups: fakeTrace().groups.map((group) => ({
      ...group,
      threads: [{ name: HOSTILE, calls: 2, bytes: 3 }],
    })),
    lostEvents: 12,
  })
}
