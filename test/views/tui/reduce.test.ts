// The TUI's behaviour without a terminal: keys in, state out.
import fc from 'fast-check'
import t from 'tap'
import { RULES } from '../../../src/findings/rules.js'
import type { Category } from '../../../src/maps/categories.js'
import type { Piece } from '../../../src/maps/categorize.js'
import { address } from '../../../src/memory/address.js'
import type { Session } from '../../../src/session/session.js'
import { KeyDecoder } from '../../../src/views/tui/keys.js'
import { rowsFrom } from '../../../src/views/tui/memory-rows.js'
import { paintFor } from '../../../src/views/tui/paint.js'
import { chunksFrom } from '../../../src/views/tui/panes/memory-chunks.js'
import { memoryPage, wantedSymbols } from '../../../src/views/tui/panes/memory-dump.js'
import { regionsPane } from '../../../src/views/tui/panes/regions.js'
import { wantsStacks } from '../../../src/views/tui/panes/threads.js'
import { initialState, reduce } from '../../../src/views/tui/reduce.js'
import { fittingCellBytes, regionLayout } from '../../../src/views/tui/region-map/region-layout.js'
import type { Size, TuiState } from '../../../src/views/tui/tui-state.js'
import { FakeSession, heapAddress } from '../../fakes/fake-session.js'

const SIZE: Size = { columns: 80, rows: 24 }
const MAIN_HEAP = 0x55d0c1a00000n

function press(state: TuiState, session: Session, ...keys: string[]): TuiState {
  return keys.reduce((next, key) => reduce(next, { type: 'key', key }, session), state)
}

/** The cursor of each list is in the list and on the screen. */
function onScreen(state: TuiState, session: Session): boolean {
  const rows = Math.max(1, state.size.rows - 6)
  const lists = [
    { ...state.threads, count: session.report.heap!.threads.length },
    { ...state.regions, count: session.pieces.length },
  ]
  return (
    lists.every(
      ({ cursor, top, count }) => cursor >= 0 && cursor < count && cursor >= top && cursor < top + rows,
    ) && state.findings.cursor < session.report.findings.length
  )
}

/** As typed: one key per character, then the named keys. */
function typed(state: TuiState, session: Session, text: string, ...keys: string[]): TuiState {
  return press(state, session, ...text, ...keys)
}

t.test('keys', async (t) => {
  const decode = (...chunks: string[]) => {
    const decoder = new KeyDecoder()
    return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.flush()]
  }
  t.same(decode('jjj'), ['j', 'j', 'j'], 'fast typing')
  t.same(decode('\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[Z'), ['up', 'down', 'pageup', 'pagedown', 'shift-tab'])
  t.same(decode('\x1b', '[', 'A'), ['up'], 'a sequence in pieces')
  t.same(decode('\x1b'), ['escape'])
  t.same(decode('\x1bj'), ['escape', 'j'])
  t.same(decode('\x1b\x1b[B'), ['escape', 'down'])
  t.same(decode('\r\t\x7f\x03\x04é日'), ['enter', 'tab', 'backspace', 'ctrl-c', 'ctrl-d', 'é', '日'])
  t.same(decode('\x1b[H\x1b[4~\x1b[1;5C\x1bOM'), ['home', 'end', 'right', 'enter'])
  t.same(decode('\x1b[15~\x1b[<35;3;4M\x1b[<0;3;4mx'), ['x'], 'what it does not know is dropped')
  t.same(decode('\x1b[<0;3;4M\x1b[<64;1;1M\x1b[<69;1;1M'), ['click 3 4', 'wheel-up', 'wheel-down'])
  t.same(decode('\0'), [])
})

t.test('panes', async (t) => {
  const session = new FakeSession()
  const start = initialState(session, SIZE)
  t.equal(start.pane, 'overview')
  t.equal(start.memory.cursor, MAIN_HEAP)
  t.equal(press(start, session, 'tab').pane, 'arenas')
  t.equal(press(start, session, ...Array(8).fill('tab')).pane, 'overview')
  t.equal(press(start, session, 'shift-tab').pane, 'regions')
  t.same(
    ['3', '4', '5', '6', '7', '8'].map((key) => press(start, session, key).pane),
    ['heap-map', 'chunks', 'memory', 'threads', 'findings', 'regions'],
  )
  t.equal(press(start, session, '9').pane, 'overview', 'no such pane')
  t.equal(press(start, session, 'enter').pane, 'arenas')
  t.equal(press(start, session, 'enter', 'escape').pane, 'overview')
  t.equal(press(start, session, 'q').ended, 'quit')
  t.equal(press(start, session, 'ctrl-c').ended, 'SIGINT')
  t.match(press(start, session, 'escape').notice, { kind: 'note', text: /nothing to go back/ })
  const help = press(start, session, '?')
  t.equal(help.helpTop, 0)
  t.match(press(help, session, 'q'), { helpTop: null, ended: null }, 'q closes the help first')
  t.equal(press(help, session, 'ctrl-c').ended, 'SIGINT')
  const low = press(initialState(session, { columns: 40, rows: 10 }), session, '?')
  t.same(
    ['j', 'wheel-down', 'pagedown'].map((key) => press(low, session, key).helpTop),
    [1, 1, 6],
    'where not all of it fits, it scrolls',
  )
  const last = press(low, session, 'G')
  t.ok(last.helpTop! > 6)
  t.same(press(last, session, 'j').helpTop, last.helpTop)
  const tall = reduce(last, { type: 'resize', size: { columns: 200, rows: 60 } }, session)
  t.equal(press(tall, session, 'j').helpTop, null, 'all of it is shown: any key closes')
})

t.test('overview scrolls to its last line and no further', async (t) => {
  const session = new FakeSession()
  const start = initialState(session, SIZE)
  const end = press(start, session, 'G')
  t.ok(end.overview.top > 0)
  t.equal(press(end, session, 'j').overview.top, end.overview.top)
  t.equal(press(end, session, 'g', 'k').overview.top, 0)
  const tall = reduce(end, { type: 'resize', size: { columns: 200, rows: 90 } }, session)
  t.equal(tall.overview.top, 0, 'everything fits')
})

t.test('arenas', async (t) => {
  const session = new FakeSession()
  const start = press(initialState(session, SIZE), session, '2')
  t.match(start.arenas, { cursor: 0, top: 0, sort: 'free', reversed: false })
  const end = press(start, session, 'G')
  t.match(end.arenas, { cursor: 63, top: 64 - 18 })
  t.match(press(end, session, 'j').arenas, { cursor: 63 })
  t.match(press(end, session, 'pageup', 'k').arenas, { cursor: 63 - 19 })
  t.match(press(end, session, 'g').arenas, { cursor: 0, top: 0 })

  const opened = press(start, session, 'm')
  t.equal(opened.pane, 'memory')
  t.equal(opened.memory.cursor, heapAddress(61), 'the arena with the most free memory comes first')
  const back = press(opened, session, 'escape')
  t.match(back, { pane: 'arenas', memory: { cursor: MAIN_HEAP } })

  const sorts = ['s', 's', 's', 's', 's'].map(
    (_, i) => press(start, session, ...Array(i + 1).fill('s')).arenas.sort,
  )
  t.same(sorts, ['system', 'in use', 'threads', 'use', 'ring'])
  const ring = press(start, session, 's', 's', 's', 's', 's')
  t.equal(ring.arenas.cursor, 61, 'the same arena stays under the cursor')
  t.equal(press(ring, session, 'g', 'm').memory.cursor, MAIN_HEAP)
  t.equal(press(ring, session, 'S', 'g', 'm').memory.cursor, heapAddress(63), 'turned round')
  const unknown = press(start, session, 'G', 'm')
  t.equal(unknown.memory.cursor, heapAddress(17), 'an unknown number sorts last')

  const small = reduce(end, { type: 'resize', size: { columns: 40, rows: 10 } }, session)
  t.match(small.arenas, { cursor: 63, top: 60 })
  const none = new FakeSession({ report: { heap: null } })
  t.match(press(initialState(none, SIZE), none, '2', 'j', 'G', 'enter').notice, {
    kind: 'error',
    text: /no arena/,
  })
})

t.test('memory: moving', async (t) => {
  const session = new FakeSession()
  const start = press(initialState(session, SIZE), session, '5')
  t.equal(press(start, session, 'j', 'j').memory.cursor, MAIN_HEAP + 32n)
  t.equal(press(start, session, 'l').memory.cursor, MAIN_HEAP + 8n)
  t.equal(press(start, session, 'l', 'j', 'h').memory.cursor, MAIN_HEAP + 16n)
  t.equal(press(start, session, 'w', 'j').memory.cursor, MAIN_HEAP + 8n, 'a row is a word in the words view')
  const before = press(start, session, 'k')
  t.equal(before.memory.cursor, 0x55d0c0defff0n, 'over the hole to the end of the region before')
  t.equal(before.memory.top, before.memory.cursor)
  t.equal(press(before, session, 'j').memory.cursor, MAIN_HEAP)
  t.equal(press(start, session, 'h').memory.cursor, 0x55d0c0defff8n)
  const first = press(start, session, 'g')
  t.equal(first.memory.cursor, 0x55d0c0de0000n)
  t.equal(press(first, session, 'k', 'h', 'pageup').memory.cursor, first.memory.cursor)
  const last = press(start, session, 'G')
  t.equal(last.memory.cursor, 0x7ffc0f020ff8n)
  t.equal(press(last, session, 'j', 'l', 'pagedown').memory.cursor, last.memory.cursor)
  t.equal(rowsFrom(session, last.memory.top, 99, 16).length, memoryPage(last), 'the last screen is full')
  t.equal(press(start, session, 'pagedown', 'pageup').memory.cursor, MAIN_HEAP)
})

t.test('memory: chunks', async (t) => {
  const session = new FakeSession()
  const start = press(initialState(session, SIZE), session, '5')
  t.equal(press(start, session, ']').memory.cursor, MAIN_HEAP + 32n)
  t.equal(press(start, session, ']', ']').memory.cursor, MAIN_HEAP + 80n)
  t.equal(
    press(start, session, ']', 'j', '[').memory.cursor,
    MAIN_HEAP + 32n,
    'to the start of this one first',
  )
  t.equal(press(start, session, ']', '[').memory.cursor, MAIN_HEAP)
  t.match(press(start, session, '[').notice, { text: /first chunk/ })
  t.match(press(start, session, 'G', ']').notice, { kind: 'error', text: /no malloc chunk/ })
})

t.test('memory: going somewhere and back', async (t) => {
  const session = new FakeSession()
  const start = initialState(session, SIZE)
  const go = (text: string) => typed(start, session, `:${text}`, 'enter')
  t.match(go('7f8f98000010'), { pane: 'memory', memory: { cursor: heapAddress(1) + 16n } })
  t.match(go('0x7F8F98000010 + 0x8'), { memory: { cursor: heapAddress(1) + 24n } })
  t.match(go('7f8f98000015'), { memory: { cursor: heapAddress(1) + 16n, top: heapAddress(1) + 16n } })
  t.equal(press(go('arena 3'), session, 'm').memory.cursor, heapAddress(3))
  t.equal(press(go('arena main'), session, 'm').memory.cursor, MAIN_HEAP)
  t.match(go('arenas'), { pane: 'arenas' })
  t.match(go('help'), { helpTop: 0 })
  t.match(go('q'), { ended: 'quit' })
  t.match(go(''), { pane: 'overview', notice: null })
  for (const [text, says] of [
    ['41414141', /0x41414141 is not mapped; the next mapped address is 0x55d0c0de0000/],
    ['ffffffffffffffff', /not mapped$/],
    ['10000000000000000', /between 0 and/],
    ['8 - 10', /between 0 and/],
    ['arena 64', /no arena 64: there are 64, from 0 to 63/],
    ['arena x', /no arena x/],
    ['\x1b[2J wat', /is no address and no command/],
  ] as const) {
    const state = typed(start, session, `:${text}`, 'enter')
    t.match(state, { pane: 'overview', prompt: null, notice: { kind: 'error', text: says } }, text)
  }
  t.equal(typed(start, session, ':12', 'backspace').prompt?.text, '1')
  t.equal(typed(start, session, ':12', 'ctrl-u').prompt?.text, '')
  t.equal(typed(start, session, ':', 'backspace').prompt, null)
  t.equal(typed(start, session, ':12q', 'escape').prompt, null)

  const free = typed(start, session, ':55d0c1a00060', 'enter')
  const followed = press(free, session, 'enter')
  t.equal(followed.memory.cursor, 0x7fb2401d2cc0n, 'Enter follows the pointer')
  t.match(press(followed, session, 'escape').memory, { cursor: 0x55d0c1a00060n })
  t.match(press(followed, session, 'escape', 'backspace'), { pane: 'overview', history: [] })
  t.match(press(start, session, '5', 'enter').notice, { kind: 'error', text: /0x0 is no pointer/ })
  t.match(press(start, session, '5', 'G', 'enter').notice, { kind: 'error', text: /could not be read/ })
  t.equal(
    press(press(start, session, '5', 'enter'), session, 'j').notice,
    null,
    'the next key clears the line',
  )
})

t.test('memory: symbols are asked for once, for pointers, in the words view', async (t) => {
  const session = new FakeSession()
  const bytes = typed(initialState(session, SIZE), session, ':55d0c1a00060', 'enter')
  t.same(wantedSymbols(bytes, session), [])
  const words = press(bytes, session, 'w')
  const wanted = wantedSymbols(words, session)
  t.ok(wanted.includes(0x7fb2401d2cc0n))
  t.notOk(wanted.includes(0x6f77206f6c6c6568n), 'text is no pointer')
  const found = new Map(wanted.map((value) => [value, null]))
  t.same(wantedSymbols(reduce(words, { type: 'symbols', found, error: null }, session), session), [])
  const failed = reduce(words, { type: 'symbols', found, error: 'gdb died' }, session)
  t.match(failed.notice, { kind: 'error', text: /gdb died/ })
})

t.test('threads', async (t) => {
  const session = new FakeSession()
  const start = press(initialState(session, SIZE), session, '6')
  t.ok(wantsStacks(start))
  const stacks = await session.stacks()
  const told = reduce(start, { type: 'stacks', stacks, error: null }, session)
  t.notOk(wantsStacks(told), 'asked once')
  t.notOk(wantsStacks(press(start, session, '1')), 'not while another pane is shown')
  const failed = reduce(start, { type: 'stacks', stacks: new Map(), error: 'gdb died' }, session)
  t.match(failed.notice, { kind: 'error', text: /gdb died/ })
  t.notOk(wantsStacks(failed), 'nor again after an error')

  const largest = session.report.heap!.threads.reduce((most, thread) =>
    (thread.tcache?.bytes ?? 0) > (most.tcache?.bytes ?? 0) ? thread : most,
  )
  const opened = press(told, session, 'enter')
  t.equal(opened.pane, 'arenas', 'the thread whose tcache keeps most comes first')
  t.equal(
    press(opened, session, 'm').memory.cursor,
    largest.arena === 0 ? MAIN_HEAP : heapAddress(largest.arena!),
    'its arena is under the cursor',
  )
  t.match(press(opened, session, 'm', 'escape', 'escape'), { pane: 'threads', threads: { cursor: 0 } })
  const none = press(told, session, 'G', 'enter')
  t.match(none, { pane: 'threads', threads: { cursor: 69 }, notice: { text: /no arena of thread 1069/ } })
  t.match(press(told, session, 'G', 'S').threads, { reversed: true, cursor: 69 }, 'unknown stays last')
  const sorts = [1, 2, 3, 4, 5].map((many) => press(told, session, ...Array(many).fill('s')).threads.sort)
  t.same(sorts, ['chunks', 'arena', 'thread', 'name', 'bytes'])
  t.match(press(told, session, 's', 's', 's', 'g', 'pagedown', 'k').threads, { cursor: 17, top: 1 })

  const live = new FakeSession({ isLive: true })
  const again = reduce(told, { type: 'refreshed', error: null }, live)
  t.ok(wantsStacks(again), 'a refresh asks again')
  const without = new FakeSession({ report: { heap: null } })
  t.match(press(initialState(without, SIZE), without, '6', 'j', 'enter').notice, { text: /no thread/ })
})

t.test('findings', async (t) => {
  const session = new FakeSession()
  const start = press(initialState(session, SIZE), session, '7')
  t.match(start.findings, { cursor: 0, detail: null })
  const opened = press(start, session, 'enter')
  t.match(opened, { pane: 'findings', findings: { detail: 0 } })
  const scrolled = press(opened, session, 'j', 'j')
  t.match(scrolled.findings, { cursor: 0, detail: 2 })
  const arenas = press(scrolled, session, 'enter')
  t.match(arenas, { pane: 'arenas', arenas: { cursor: 0, sort: 'free' } })
  const back = press(arenas, session, 'j', 's', 'escape')
  t.match(back, { pane: 'findings', findings: { cursor: 0, detail: 2 } }, 'back where it was read')
  t.match(press(back, session, 'escape'), { pane: 'findings', findings: { detail: null } })
  t.match(press(back, session, 'escape', 'escape').notice, { text: /nothing to go back/ })
  t.match(press(opened, session, 'l').findings, { cursor: 1, detail: 0 }, 'the next one, from its start')
  t.match(press(opened, session, 'l', 'l', 'h').findings, { cursor: 0 })
  const end = press(opened, session, 'G')
  t.equal(
    press(end, session, 'j', 'pagedown').findings.detail,
    end.findings.detail,
    'no further than the end',
  )

  const [, bloat] = session.report.findings
  const pinned = { label: 'pinned in arena 9', value: '2 MiB, used by worker (7)', unit: 'text' } as const
  const of = (rule: string, evidence = bloat!.evidence) =>
    new FakeSession({ report: { findings: [{ ...bloat!, rule, evidence }] } })
  const to = (other: FakeSession) => press(initialState(other, SIZE), other, '7', 'enter', 'enter')
  t.match(to(of('tcache-hoarding')), { pane: 'threads' })
  t.match(to(of('mmapped-near-limit')), { pane: 'regions' })
  t.match(to(of('idle-arenas')), { pane: 'arenas', arenas: { sort: 'threads', reversed: true } })
  t.match(to(of('corruption')), { pane: 'memory', memory: { cursor: heapAddress(17) + 0x1000n } })
  const nine = of('pinned-fragmentation', [pinned])
  t.equal(press(to(nine), nine, 'm').memory.cursor, heapAddress(9), 'the arena that is named')
  const none = new FakeSession({ report: { findings: [] } })
  t.match(press(initialState(none, SIZE), none, '7', 'enter').notice, { text: /no finding/ })
  const fewer = reduce(
    { ...opened, findings: { cursor: 1, top: 0, detail: 3 } },
    { type: 'refreshed', error: null },
    none,
  )
  t.match(fewer.findings, { cursor: 0, detail: null }, 'findings that are gone after a refresh')
})

t.test('every rule of the report leads somewhere that exists', async (t) => {
  const base = new FakeSession().report.findings[1]!
  for (const { name } of RULES) {
    const session = new FakeSession({ report: { findings: [{ ...base, rule: name }] } })
    const state = press(initialState(session, SIZE), session, '7', 'enter', 'enter')
    t.not(state.pane, 'findings', name)
    t.equal(press(state, session, 'escape').pane, 'findings')
  }
})

t.test('regions', async (t) => {
  const session = new FakeSession()
  const start = press(initialState(session, SIZE), session, '8')
  t.match(start.regions, { cursor: 0, sort: 'address' })
  const memory = press(start, session, 'j', 'enter')
  t.match(memory, { pane: 'memory', memory: { cursor: MAIN_HEAP } })
  t.match(press(memory, session, 'escape'), { pane: 'regions', regions: { cursor: 1 } })
  const bySize = press(start, session, 's', 'g', 'enter')
  t.equal(bySize.memory.cursor, MAIN_HEAP, 'the largest first')
  const inRam = press(start, session, 's', 's', 'G')
  t.equal(press(inRam, session, 'enter').memory.cursor, 0x7fb240000000n, 'what is unknown comes last')
  t.equal(press(inRam, session, 'S', 'G', 'enter').memory.cursor, 0x7fb240000000n, 'also turned round')
  const sorts = [1, 2, 3, 4, 5].map((many) => press(start, session, ...Array(many).fill('s')).regions.sort)
  t.same(sorts, ['size', 'resident', 'category', 'path', 'address'])
  const none = new FakeSession({ pieces: [] })
  t.match(press(initialState(none, SIZE), none, '8', 'j', 'G', 'enter').notice, { text: /no region/ })
})

t.test('regions as a map', async (t) => {
  const session = new FakeSession()
  const list = press(initialState(session, SIZE), session, '8', 'j')
  const map = press(list, session, 'v')
  t.match(map.regionMap, { isShown: true, at: MAIN_HEAP, cellBytes: null }, 'where the list was')
  t.match(press(map, session, 'enter').memory, { cursor: MAIN_HEAP })
  t.match(press(map, session, 'enter', 'escape'), { pane: 'regions', regionMap: { at: MAIN_HEAP } })
  t.match(press(map, session, 'l', 'enter').memory, { cursor: MAIN_HEAP }, 'the start of the region')
  const hole = press(map, session, 'h')
  t.equal(hole.regionMap.at, session.pieces[0]!.end, 'a hole has a cell')
  t.match(press(hole, session, 'enter'), { pane: 'regions', notice: { text: /nothing is mapped here/ } })
  t.equal(press(map, session, 'g').regionMap.at, session.pieces[0]!.start)
  t.equal(press(map, session, 'g', 'h', 'k').regionMap.at, session.pieces[0]!.start, 'no further')
  const last = press(map, session, 'G')
  t.equal(press(last, session, 'l', 'j', 'enter').memory.cursor, session.pieces.at(-1)!.start)
  t.match(press(last, session, 'v'), { regions: { cursor: session.pieces.length - 1 } }, 'the list follows')
  const bySize = press(list, session, 's', 'v', 'G', 'v', 'enter')
  t.equal(bySize.memory.cursor, session.pieces.at(-1)!.start, 'in whatever order the list is')
  const filtered = press(list, session, ...'/[heap]', 'enter', 'v', 'G', 'v')
  t.match(filtered, { regions: { filter: '' }, notice: { text: /filter/ } })
  t.equal(press(filtered, session, 'enter').memory.cursor, session.pieces.at(-1)!.start)
  t.match(press(map, session, ...'/libc', 'enter'), {
    regionMap: { isShown: false },
    regions: { filter: 'libc' },
  })

  const finer = press(map, session, 'l', '+')
  t.equal(finer.regionMap.cellBytes, 256 * 1024)
  t.equal(finer.regionMap.at, press(map, session, 'l').regionMap.at, 'the cursor stays')
  t.equal(press(finer, session, '0').regionMap.cellBytes, null)
  t.equal(press(map, session, ...'+'.repeat(40)).regionMap.cellBytes, 4096, 'a page at least')
  t.match(press(map, session, ...'-'.repeat(40)).notice, { text: /all of it is in one row/ })
  const clicked = press(map, session, 'click 17 4')
  t.equal(clicked.regionMap.at, session.pieces[0]!.start)
  t.match(press(clicked, session, 'click 17 4'), {
    pane: 'memory',
    memory: { cursor: session.pieces[0]!.start },
  })
  t.equal(press(map, session, 'y').copied?.text, '0x55d0c1a00000')

  const none = new FakeSession({ pieces: [] })
  const empty = press(initialState(none, SIZE), none, '8', 'v', 'j', '+', 'G')
  t.match(regionsPane.rows(empty, none, paintFor(false)).join(''), /nothing is mapped/)
  t.match(press(empty, none, 'enter').notice, { text: /no region/ })
})

t.test('cells of the region map', async (t) => {
  const [some] = new FakeSession().pieces
  const piece = (start: number, end: number, category: Category, residentBytes: number | null): Piece => ({
    ...some!,
    start: address(BigInt(start)),
    end: address(BigInt(end)),
    category,
    residentBytes,
  })
  const pieces = [
    piece(0x10000, 0x12000, 'program', 0x1000),
    piece(0x12000, 0x18000, 'arena heaps, reserved', 0),
    piece(0x19000, 0x1c000, 'files', 0x3000),
    piece(0x1000_0000, 0x1000_1000, 'main stack', null),
    piece(0x1000_2000, 0x1000_4000, 'stack guards', 0),
  ]
  const coarse = regionLayout(pieces, 0x10000)
  t.equal(coarse.cells, 3, 'a small hole is inside a cell, a large one is a cell')
  t.match(coarse.cell(0), { start: 0x10000, end: 0x1c000, category: 'files', pieces: 3 }, 'by bytes in RAM')
  t.match(coarse.cell(1), { start: 0x1c000, end: 0x1000_0000, category: null })
  t.match(coarse.cell(2), { category: 'stack guards' }, 'by address space where not all is known')
  t.same(
    [0, 0x10000, 0x18800, 0x1c000, 0x1000_1800, 0x2000_0000].map((at) => coarse.cellOf(at)),
    [0, 0, 0, 1, 2, 2],
  )
  const fine = regionLayout(pieces, 0x1000)
  t.equal(fine.cells, 2 + 6 + 1 + 3 + 1 + 1 + 1 + 2)
  t.equal(regionLayout(pieces, 0x1000), fine, 'made once')
  t.equal(fittingCellBytes(pieces, 17), 0x1000)
  t.equal(fittingCellBytes(pieces, 16), 0x2000)
  t.equal(fittingCellBytes(pieces, 3), 0x10000)
  const high = [
    piece(0x1000, 0x2000, 'files', 0),
    piece(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000, 'kernel (vdso)', 0),
  ]
  t.equal(regionLayout(high, 4096).cells, 3, 'up to the last page of 64 bits')
})

t.test('65,000 regions in a map: nothing is made twice, and a key makes what it shows', async (t) => {
  let looked = 0
  const [some] = new FakeSession().pieces
  const pieces = Array.from({ length: 65_000 }, (_, i) => ({
    ...some!,
    start: address(0x7f0000000000n + BigInt(i) * 8192n),
    end: address(0x7f0000001000n + BigInt(i) * 8192n),
    get residentBytes() {
      looked++
      return 4096
    },
  }))
  const session = new FakeSession({ pieces })
  let state = press(initialState(session, SIZE), session, '8', 'v')
  regionsPane.rows(state, session, paintFor(false))
  looked = 0
  for (const key of ['l', 'j', 'G', 'k', 'g', 'pagedown']) {
    state = press(state, session, key)
    regionsPane.rows(state, session, paintFor(false))
  }
  t.ok(looked <= 12, 'only the region under the cursor')
  state = press(state, session, '+', '+', '+', '+', '+')
  looked = 0
  state = press(state, session, 'G')
  regionsPane.rows(state, session, paintFor(false))
  t.ok(looked > 0 && looked < 20_000, `${looked} looked at for one screen of many`)
})

t.test('100,000 regions: a key looks at the rows on the screen only', async (t) => {
  let looked = 0
  const [some] = new FakeSession().pieces
  const pieces = Array.from({ length: 100_000 }, (_, i) => ({
    ...some!,
    start: address(0x7f0000000000n + BigInt(i) * 8192n),
    end: address(0x7f0000001000n + BigInt(i) * 8192n),
    get category() {
      looked++
      return some!.category
    },
  }))
  const session = new FakeSession({ pieces })
  let state = press(initialState(session, SIZE), session, '8', 's', 's', 's')
  looked = 0
  for (const key of ['G', 'pageup', 'k', 'j', 'g', 'pagedown', 'G']) {
    state = press(state, session, key)
    t.equal(regionsPane.rows(state, session, paintFor(false)).length, 20)
  }
  t.equal(state.regions.cursor, 99_999)
  t.ok(looked > 0 && looked <= 7 * 20, `${looked} looked at for 7 screens of 18 rows`)
})

t.test('refresh', async (t) => {
  const core = new FakeSession()
  t.match(press(initialState(core, SIZE), core, 'r'), {
    refreshing: false,
    notice: { text: /does not change/ },
  })
  const live = new FakeSession({ isLive: true })
  const asked = press(initialState(live, SIZE), live, '2', 'G', 'r')
  t.ok(asked.refreshing)
  live.report = {
    ...live.report,
    heap: { ...live.report.heap!, arenas: live.report.heap!.arenas.slice(0, 3) },
  }
  const done = reduce(asked, { type: 'refreshed', error: null }, live)
  t.match(done, { refreshing: false, arenas: { cursor: 2, top: 0 }, notice: { text: 'refreshed' } })
  t.match(reduce(asked, { type: 'refreshed', error: 'gone' }, live).notice, { kind: 'error', text: /gone/ })
})

t.test('heaps that are still being read: a list begins with what comes first in the end', async (t) => {
  const session = new FakeSession()
  const whole = session.report
  const arenas = whole.heap!.arenas.map((arena) => ({ ...arena, freeBytes: null }))
  session.report = { ...whole, heap: { ...whole.heap!, arenas } }
  const early = press(initialState(session, SIZE), session, '2')
  const moved = press(early, session, 'j', 'j')
  t.match([early.arenas, moved.arenas], [{ cursor: 0, key: arenas[0]!.address }, { cursor: 2 }])
  session.report = whole
  t.match(
    reduce(early, { type: 'opened' }, session).arenas,
    { cursor: 0, top: 0, key: arenas[61]!.address },
    'it keeps most',
  )
  t.equal(reduce(moved, { type: 'opened' }, session).arenas.key, moved.arenas.key, 'where the user went')
})

t.test('whatever is pressed, the cursor stays on the screen and on mapped memory', async () => {
  const session = new FakeSession()
  const keys = [
    'j',
    'k',
    'h',
    'l',
    'g',
    'G',
    'pagedown',
    'pageup',
    'ctrl-d',
    'ctrl-u',
    'x',
    'w',
    ']',
    '[',
    'enter',
    'escape',
    'tab',
    's',
    'S',
    'r',
    '?',
    ':',
    'a',
    '4',
    '5',
    '6',
    '7',
    '8',
    'c',
    'm',
    '+',
    '-',
    'f',
    '/',
    'n',
    'y',
    ' ',
    'R',
    'wheel-down',
    'click 20 9',
    'click 30 2',
    'backspace',
  ]
  const action = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...keys).map((key) => ({ type: 'key', key }) as const) },
    fc
      .record({ columns: fc.integer({ min: 1, max: 250 }), rows: fc.integer({ min: 1, max: 80 }) })
      .map((size) => ({ type: 'resize', size }) as const),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const state = actions.reduce<TuiState>(
        (next, a) => reduce(next, a, session),
        initialState(session, SIZE),
      )
      const { cursor, top, view } = state.memory
      const bytes = view === 'words' ? 8 : state.size.columns >= 167 ? 32 : state.size.columns >= 80 ? 16 : 8
      const page = memoryPage(state)
      // Outside of heaps the view of chunks shows a sentence, and the cursor stays.
      const here = view === 'chunks' ? chunksFrom(session, cursor, 1)[0] : undefined
      const seen =
        view === 'chunks'
          ? !here ||
            chunksFrom(session, top, Math.max(1, page - 1)).some((chunk) => chunk.address === here.address)
          : rowsFrom(session, top, page, bytes).some(
              (row) => row.kind === 'data' && cursor >= row.at && cursor < row.at + BigInt(bytes),
            )
      return (
        seen &&
        session.nextMapped(address(cursor), 1) === cursor &&
        state.arenas.cursor >= 0 &&
        state.arenas.cursor < 64 + state.arenas.unfolded.size &&
        onScreen(state, session)
      )
    }),
    { numRuns: 200 },
  )
})
