// Samples of perf as they seldom come: the two of one call far apart, one told twice, returns lost.
import t from 'tap'
import { PerfCalls } from '../../src/trace/perf-calls.js'
import type { PerfFrame, PerfSample } from '../../src/trace/perf-script.js'
import type { TraceEvent } from '../../src/trace/trace-event.js'

const TID = 7
const LENGTH = 70_000_000n
const AT = 0x7f00_0000_0000n

function sample(event: string, atMs: number, more: Partial<PerfSample> = {}): PerfSample {
  const fields = event === 'sys_enter_mmap' ? { len: LENGTH, prot: 3n, flags: 34n } : {}
  return {
    pid: TID,
    tid: TID,
    threadName: 'one',
    atMs,
    event,
    fields: new Map(Object.entries(fields)),
    value: null,
    frames: [],
    stackPointer: null,
    ...more,
  }
}

const bare = (atMs: number) => sample('sys_enter_mmap', atMs)
const stacked = (atMs: number) =>
  sample('sys_enter_mmap', atMs, { frames: [{} as PerfFrame], stackPointer: 0x7fff_0000n })
const returned = (atMs: number, value = AT) => sample('sys_exit_mmap', atMs, { value })
const lost = (atMs: number, count: bigint) => sample('lost', atMs, { value: count })

/** What they come to: each map's address and whether it has its stack, and how many were lost. */
function told(samples: readonly PerfSample[]) {
  const events: TraceEvent[] = []
  const calls = new PerfCalls({
    pageBytes: 4096,
    minimumBytes: 1 << 20,
    clockOffsetMs: () => 0,
    stackOf: () => ({ pcs: [], cut: false }),
    onEvent: (event) => events.push(event),
  })
  for (const one of samples) calls.add(one)
  calls.end()
  return {
    maps: events.flatMap((event) =>
      event.kind === 'map' ? [[event.address, event.stack !== null] as const] : [],
    ),
    lost: events.reduce((sum, event) => sum + (event.kind === 'lost' ? event.count : 0), 0),
  }
}

const one = { maps: [[AT, true]], lost: 0 }

t.test('one call is one, whenever its samples come', (t) => {
  t.same(told([bare(10), stacked(10.01), returned(10.1)]), one)
  t.same(told([stacked(10), bare(10.01), returned(10.1)]), one)
  t.same(told([stacked(10), bare(240), returned(500)]), one, 'the machine stood still between them')
  t.same(told([bare(10), stacked(240), returned(500)]), one)
  t.same(told([bare(10), stacked(10.01), stacked(10.02), bare(10.03), returned(10.1), returned(10.2)]), one)
  t.end()
})

t.test('calls of the same arguments are as many as return', (t) => {
  const three = [10, 20, 30].flatMap((at) => [
    bare(at),
    stacked(at),
    returned(at + 1, AT + BigInt(at) * 4096n),
  ])
  t.equal(told(three).maps.length, 3)
  t.equal(told(three).lost, 0)
  t.end()
})

t.test('what was lost is not taken for another call', (t) => {
  const returnLost = [bare(10), stacked(10.01), lost(11, 1n), bare(12), stacked(12.01), returned(13)]
  t.same(told(returnLost), { maps: [[null, true], ...one.maps], lost: 1 })
  t.same(
    told([bare(10), lost(10.02, 1n), returned(11)]),
    { maps: [[AT, false]], lost: 0 },
    'the stack was what was lost: the call is whole',
  )
  t.same(told([stacked(10), lost(10.02, 1n), returned(11)]), one)
  t.end()
})
