// Events added up: against a map of single pages, at the bounds, and births told by what malloc leaves.
import fc from 'fast-check'
import t from 'tap'
import { address } from '../../src/memory/address.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import { chooseRecorder } from '../../src/trace/choose-recorder.js'
import { MallocBirths } from '../../src/trace/malloc-births.js'
import { MappedRanges } from '../../src/trace/mapped-ranges.js'
import { runTrace } from '../../src/trace/run-trace.js'
import type { Trace } from '../../src/trace/trace.js'
import type { MapEvent, Recorder, TraceEvent } from '../../src/trace/trace-event.js'
import { TraceState } from '../../src/trace/trace-state.js'
import { memoryOf } from '../fakes/memory.js'
import { waitUntil } from '../support/wait-until.js'

const PAGE = 4096
const BASE = 0x7f00_0000_0000n

/** A process without modules whose maps are `regions`. */
function target(regions: readonly { start: bigint; end: bigint }[] = []) {
  return {
    modules: () => [],
    regions: () => regions.map((region) => ({ ...region, path: null })) as never,
    refresh: () => {},
  }
}

function mapEvent(changes: Partial<MapEvent> = {}): MapEvent {
  return {
    kind: 'map',
    call: 'mmap',
    atMs: 1000,
    tid: 1,
    threadName: 'main',
    address: address(BASE),
    bytes: PAGE,
    mallocBirth: null,
    stack: { pcs: [0x10n, 0x20n], cut: false },
    ...changes,
  }
}

const step = fc.record({
  kind: fc.constantFrom('add', 'remove', 'move', 'keep', 'clear'),
  at: fc.nat(60),
  to: fc.nat(60),
  pages: fc.integer({ min: 1, max: 20 }),
})

t.test('ranges are what a map of single pages says', async (t) => {
  let checked = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ranges = new MappedRanges(1000)
      const naive = new Map<number, number>()
      const bytes: number[] = []
      const at = (page: number) => address(BASE + BigInt(page * PAGE))
      for (const { kind, at: from, to, pages } of steps) {
        if (kind === 'add') {
          const owner = bytes.push(0) - 1
          ranges.add(at(from), pages * PAGE, {
            changed: (by) => {
              bytes[owner]! += by
            },
          })
          for (let page = from; page < from + pages; page++) naive.set(page, owner)
        } else if (kind === 'remove') {
          ranges.remove(at(from), pages * PAGE)
          for (let page = from; page < from + pages; page++) naive.delete(page)
        } else if (kind === 'move') {
          ranges.move(at(from), at(to), pages * PAGE)
          const moved = Array.from({ length: pages }, (_, index) => naive.get(from + index))
          for (let page = from; page < from + pages; page++) naive.delete(page)
          for (let page = to; page < to + pages; page++) naive.delete(page)
          moved.forEach((owner, index) => {
            if (owner !== undefined) naive.set(to + index, owner)
          })
        } else if (kind === 'keep') {
          const dropped = ranges.keepOnly([{ start: at(from), end: at(from + pages) }])
          let gone = 0
          for (const page of [...naive.keys()])
            if (page < from || page >= from + pages) {
              naive.delete(page)
              gone += PAGE
            }
          if (dropped !== gone) return false
        } else if (to < 5) {
          ranges.clear()
          naive.clear()
        }
        checked++
        const counted = bytes.map(() => 0)
        for (const owner of naive.values()) counted[owner]! += PAGE
        if (counted.some((sum, owner) => sum !== bytes[owner])) return false
      }
      return true
    }),
    { numRuns: 300 },
  )
  t.ok(checked > 1000)
})

t.test('calls are mapped as long as any page of them is', async (t) => {
  const state = new TraceState(target())
  const bytes = 10 * PAGE
  state.add(mapEvent({ bytes, address: address(BASE) }))
  state.add(mapEvent({ bytes, address: address(BASE + BigInt(bytes)) }))
  t.match(state.parts().mapped, {
    calls: 2,
    bytes: 2 * bytes,
    stillMappedCalls: 2,
    stillMappedBytes: 2 * bytes,
  })
  state.add({ kind: 'unmap', atMs: 1, address: address(BASE + BigInt(5 * PAGE)), bytes: 10 * PAGE })
  t.match(state.parts().mapped, { stillMappedCalls: 2, stillMappedBytes: bytes })
  state.add({ kind: 'unmap', atMs: 1, address: address(BASE), bytes: 5 * PAGE })
  t.match(state.parts().mapped, { stillMappedCalls: 1, stillMappedBytes: 5 * PAGE })
  const elsewhere = address(BASE + 0x1000_0000n)
  state.add({
    kind: 'move',
    atMs: 1,
    from: address(BASE + BigInt(15 * PAGE)),
    to: elsewhere,
    bytes: 5 * PAGE,
  })
  t.match(state.parts().mapped, { stillMappedCalls: 1, stillMappedBytes: 5 * PAGE })
  state.add({ kind: 'exec', atMs: 2 })
  t.match(state.parts().mapped, { calls: 2, stillMappedCalls: 0, stillMappedBytes: 0 })
})

t.test('what the maps do not show is not still mapped, and that is told', async (t) => {
  const state = new TraceState(target([{ start: BASE, end: BASE + BigInt(3 * PAGE) }]))
  state.add(mapEvent({ bytes: 10 * PAGE }))
  state.checkAgainstMaps(7)
  t.match(state.parts(), {
    mapped: { stillMappedBytes: 3 * PAGE },
    checkedAgainstMaps: { atMs: 7, goneUnseenBytes: 7 * PAGE },
  })
})

t.test('bounded: stacks, events and ranges, each with a count of what is beyond', async (t) => {
  const state = new TraceState(target(), { stacks: 3, events: 10, ranges: 5 })
  for (let index = 0; index < 50; index++) {
    state.add(
      mapEvent({
        atMs: index,
        address: index === 49 ? null : address(BASE + BigInt(index * 2 * PAGE)),
        stack: { pcs: [BigInt(index % 5), 0x100n], cut: false },
      }),
    )
  }
  const parts = state.parts()
  t.equal(parts.stacks.length, 3)
  t.equal(parts.groups.length, 4)
  t.equal(parts.callsWithoutGroup, 20)
  t.match(
    parts.groups.find(({ other }) => other),
    { calls: 20, stack: null },
  )
  t.same(
    parts.events.map(({ atMs }) => atMs),
    [0, 1, 2, 3, 4, 45, 46, 47, 48, 49],
  )
  t.equal(parts.eventsNotKept, 40)
  t.match(parts.mapped, { calls: 50, stillMappedCalls: 5, untrackedCalls: 45, untrackedBytes: 45 * PAGE })
})

t.test('losses and gaps add up; threads by name; cut stacks are stacks of their own', async (t) => {
  const state = new TraceState(target())
  state.add({ kind: 'lost', atMs: 1, count: 5 })
  state.add({ kind: 'lost', atMs: 2, count: 7 })
  state.add({ kind: 'gap', atMs: 3, untilMs: 9, why: 'test' })
  state.add(mapEvent())
  state.add(mapEvent({ threadName: 'other', bytes: 3 * PAGE, stack: { pcs: [0x10n, 0x20n], cut: true } }))
  state.add(mapEvent({ threadName: 'other', stack: null, tid: 2 }))
  const parts = state.parts()
  t.equal(parts.lostEvents, 12)
  t.same(parts.gaps, [{ atMs: 3, untilMs: 9, why: 'test' }])
  t.same(
    parts.groups.map(({ stack, threads }) => [
      stack === null ? null : parts.stacks[stack]!.cut,
      threads[0]!.name,
    ]),
    [
      [true, 'other'],
      [false, 'main'],
      [null, 'other'],
    ],
  )
  t.same(state.counts(), {
    calls: 3,
    bytes: 5 * PAGE,
    stillMappedBytes: 3 * PAGE,
    arenas: 0,
    heaps: 0,
    lost: 12,
  })
  t.equal(parts.frames[1]!.address, '0x1f', 'a caller is looked up where it calls')
})

const HEAP = 64 * 2 ** 20

async function decide(memory: MemorySource, event: MapEvent, minimumBytes = 1): Promise<TraceEvent[]> {
  const seen: TraceEvent[] = []
  const births = new MallocBirths(memory, 8, minimumBytes, (one) => seen.push(one))
  births.push(event, true)
  births.push({ kind: 'unmap', atMs: 1, address: address(BASE), bytes: PAGE })
  births.flush()
  return seen
}

/** heap_info: ar_ptr, prev, size, mprotect_size. */
function heapInfo(...words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(64)
  words.forEach((word, index) => {
    new DataView(bytes.buffer).setBigUint64(index * 8, word, true)
  })
  return bytes
}

t.test('births by what malloc writes at the start of a heap', async (t) => {
  const first = address(0x7f00_0400_0000n)
  const second = address(0x7f00_0800_0000n)
  const info = heapInfo(first + 0x30n, 0n, 0x21000n, 0x21000n)
  const further = heapInfo(first + 0x30n, first + 0n, 0x21000n, 0x21000n)
  const both = memoryOf({ start: first, bytes: info }, { start: second, bytes: further })
  const at = (start: bigint, bytes: number) => mapEvent({ address: address(start), bytes })
  // Twice the size, not aligned: the heap is in the middle of it.
  t.match((await decide(both, at(first - 0x5000n, 2 * HEAP)))[0], {
    mallocBirth: 'arena',
    address: first,
    bytes: HEAP,
  })
  t.match((await decide(both, at(second, HEAP)))[0], { mallocBirth: 'heap', address: second, bytes: HEAP })
  t.match((await decide(both, at(second, 2 * HEAP)))[0], { mallocBirth: 'heap', bytes: HEAP })
  const odd = memoryOf({ start: first, bytes: heapInfo(first + 0x30n, 0x1234n, 0x21000n, 0x21000n) })
  t.match((await decide(odd, at(first, HEAP)))[0], { mallocBirth: null })
  const foreign = memoryOf({ start: first, bytes: new Uint8Array(64).fill(0x41) })
  t.match((await decide(foreign, at(first, HEAP)))[0], { mallocBirth: null, bytes: HEAP })
  const small = await decide(foreign, at(first, HEAP), 2 * HEAP)
  t.same(
    small.map(({ kind }) => kind),
    ['unmap'],
    'too small to be told, unless it is a birth',
  )
  t.match((await decide(both, at(first, HEAP), 2 * HEAP))[0], { mallocBirth: 'arena' })
})

t.test('events behind a birth wait with it, in their order', async (t) => {
  const first = address(0x7f00_0400_0000n)
  const info = new Uint8Array(64)
  const seen: TraceEvent[] = []
  const births = new MallocBirths(memoryOf({ start: first, bytes: info }), 8, 1, (one) => seen.push(one))
  births.push(mapEvent({ address: first, bytes: HEAP, atMs: Date.now() }), true)
  births.push({ kind: 'unmap', atMs: 1, address: address(BASE), bytes: PAGE })
  t.same(seen, [])
  info.set(heapInfo(first + 0x30n, 0n, 0x21000n, 0x21000n))
  await waitUntil('both are told', () => seen.length >= 2)
  t.match(seen, [{ kind: 'map', mallocBirth: 'arena' }, { kind: 'unmap' }])
})

function recorderNamed(name: Recorder['name'], whyNot: string | null): Recorder {
  return { name, whyNot: async () => whyNot, start: () => Promise.reject(new Error('not here')) }
}

t.test('which recorder: the best that can be used, and why', async (t) => {
  const perf = recorderNamed('perf', null)
  const gdb = recorderNamed('gdb', null)
  t.match(await chooseRecorder(1, [perf, gdb], null), { recorder: perf, why: /costs the target least/ })
  t.match(await chooseRecorder(1, [perf, gdb], 'gdb'), { recorder: gdb, why: 'asked for' })
  const forbidden = recorderNamed('perf', 'perf_event_paranoid is 4')
  t.match(await chooseRecorder(1, [forbidden, gdb], null), {
    recorder: gdb,
    why: 'perf cannot be used: perf_event_paranoid is 4',
  })
  await t.rejects(chooseRecorder(1, [forbidden, gdb], 'perf'), { message: /perf_event_paranoid is 4/ })
  await t.rejects(chooseRecorder(1, [forbidden, recorderNamed('gdb', 'no gdb')], null), {
    name: 'TargetError',
    message: /perf_event_paranoid is 4; gdb cannot be used: no gdb/,
  })
})

t.test('saved each so often while it goes on; an end of the recorder is told', async (t) => {
  let tell: ((event: TraceEvent) => void) | null = null
  let end: ((why: string | null) => void) | null = null
  const saved: Trace[] = []
  const running = runTrace({
    pid: process.pid,
    minimumBytes: 1,
    toolVersion: '0',
    chosen: {
      why: 'test',
      recorder: {
        name: 'perf',
        whyNot: async () => null,
        start: async ({ onEvent }) => {
          tell = onEvent
          return {
            stop: async () => {},
            ended: new Promise<string | null>((resolve) => {
              end = resolve
            }),
          }
        },
      },
    },
    signal: new AbortController().signal,
    endingOf: () => 'SIGINT',
    saveEveryMs: 20,
    onSave: (trace) => saved.push(structuredClone(trace)),
  })
  await waitUntil('it records', () => end !== null)
  tell!(mapEvent({ stack: null }))
  await waitUntil('it saves what it has', () => saved.some((trace) => trace.mapped.calls === 1))
  t.match(saved.at(-1), { ending: 'still-running', groups: [{ calls: 1, stack: null }] })
  end!('perf died')
  t.match(await running, { ending: 'recorder-failed', endingWhy: 'perf died', mapped: { calls: 1 } })
})
