// Every pane as it looks: the whole screen as text, at three sizes and a tiny one, against golden files.
import { EventEmitter } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { chromeOf } from '../../../src/views/tui/chrome.js'
import { cell, clip, clipRow, widthOf, wrap } from '../../../src/views/tui/columns.js'
import { Compositor } from '../../../src/views/tui/compositor.js'
import { InkScreen } from '../../../src/views/tui/ink-screen.js'
import { type Paint, paintFor } from '../../../src/views/tui/paint.js'
import { wantedSymbols } from '../../../src/views/tui/panes/memory-dump.js'
import { wantsStacks } from '../../../src/views/tui/panes/threads.js'
import { paneOf } from '../../../src/views/tui/panes.js'
import { chunksQuestion } from '../../../src/views/tui/questions/chunks.js'
import { heapPagesQuestion } from '../../../src/views/tui/questions/heap-pages.js'
import type { Question } from '../../../src/views/tui/questions/question.js'
import { initialState, reduce } from '../../../src/views/tui/reduce.js'
import { ROWS_ABOVE, type Size, type TuiState } from '../../../src/views/tui/tui-state.js'
import { FakeSession } from '../../fakes/fake-session.js'
import { matchGolden } from '../../support/golden.js'

const SIZES: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 200, rows: 60 },
  { columns: 40, rows: 10 },
]
const NO_KEYS = new EventEmitter() as unknown as NodeJS.ReadStream

/** The screen of `state`, as the runtime puts it together. */
function screenOf(state: TuiState, session: FakeSession, paint: Paint = paintFor(false)): string[] {
  const compositor = new Compositor(state.size, () => undefined)
  const screen = new InkScreen(compositor, NO_KEYS, paint)
  screen.showFrame(chromeOf(state, session, paint))
  const rows = compositor.compose(
    state.helpTop !== null ? [] : paneOf(state.pane).rows(state, session, paint),
    ROWS_ABOVE,
  )
  screen.unmount()
  return rows
}

/** The state with the question's answers, when it is asked. */
async function answered(state: TuiState, session: FakeSession, question: Question): Promise<TuiState> {
  if (question.wanted(state, session) === null) return state
  const { signal } = new AbortController()
  const action = await question.ask(state, { session, services: null, signal, act: () => undefined })
  return reduce(state, action!, session)
}

async function stateAfter(session: FakeSession, size: Size, keys: readonly string[]): Promise<TuiState> {
  let state = initialState(session, size)
  for (const key of keys) {
    state = reduce(state, { type: 'key', key }, session)
    for (const question of [chunksQuestion, heapPagesQuestion])
      state = await answered(state, session, question)
  }
  const values = wantedSymbols(state, session)
  const symbols = await session.symbolsOf(values)
  const found = new Map(values.map((value, index) => [value, symbols[index]!]))
  const known = reduce(state, { type: 'symbols', found, error: null }, session)
  if (!wantsStacks(known)) return known
  return reduce(known, { type: 'stacks', stacks: await session.stacks(), error: null }, session)
}

const SCREENS: Readonly<Record<string, readonly string[]>> = {
  overview: [],
  'overview-end': ['G'],
  arenas: ['2'],
  'arenas-end': ['2', 'G'],
  'arenas-unfolded': ['2', ' ', 'j'],
  'arenas-filtered': ['2', ...'/7f8f9', 'enter'],
  'heap-map': [...':arena 3', 'enter', 'enter', 'l', 'j'],
  'heap-map-fine': [...':arena 3', 'enter', 'enter', '+', '+', 'G'],
  chunks: ['4', 'j'],
  'chunks-by-size': ['4', 's', 'f', 'f', 'f'],
  'chunks-none': ['4', ...'/min 1T', 'enter'],
  'memory-bytes': ['5', 'j', 'l'],
  'memory-words': ['5', 'w', ...':55d0c1a00060', 'enter'],
  'memory-hole': ['5', 'k', 'k', 'k', 'k', 'j', 'j'],
  'memory-unsaved': [...':7f8f9c001ff0', 'enter', 'j'],
  'memory-error': [...':41414141', 'enter', '5'],
  'memory-chunks': ['5', 'c', 'j', 'j'],
  prompt: ['5', ...':arena 3'],
  'prompt-choices': ['5', ...':e', 'tab'],
  help: ['5', '?'],
  threads: ['6'],
  'threads-end': ['6', 's', 's', 's', 's', 'G'],
  findings: ['7'],
  'findings-detail': ['7', 'enter', 'j'],
  'findings-note': ['7', 'G'],
  regions: ['8'],
  'regions-by-size': ['8', 's', 's', 'j'],
  'regions-map': ['8', 'j', 'v', 'l'],
  'regions-map-fine': ['8', 'v', '+', '+', '+', 'G'],
  'help-findings': ['7', '?'],
  'help-regions': ['8', '?'],
  'help-regions-end': ['8', '?', 'G'],
}

for (const size of SIZES) {
  const where = `${size.columns}x${size.rows}`
  t.test(`screens at ${where}`, async (t) => {
    const session = new FakeSession()
    for (const [name, keys] of Object.entries(SCREENS)) {
      const rows = screenOf(await stateAfter(session, size, keys), session)
      t.equal(rows.length, size.rows)
      t.same(
        rows.filter((row) => widthOf(row) > size.columns),
        [],
        `${name}: no row is too wide`,
      )
      matchGolden(t, `tui/${name}.${where}.txt`, `${rows.map((row) => row.trimEnd()).join('\n')}\n`)
    }
  })
}

t.test('the words are the same in colour and without', async (t) => {
  const session = new FakeSession()
  for (const keys of Object.values(SCREENS)) {
    const state = await stateAfter(session, SIZES[1]!, keys)
    const coloured = screenOf(state, session, paintFor(true)).join('\n')
    t.ok(coloured.includes('\x1b['))
    const text = stripVTControlCharacters(coloured).replace(/ +$/gm, '')
    t.equal(text, screenOf(state, session).join('\n').replace(/ +$/gm, ''))
    t.notOk(
      /[\p{Cc}\p{Cf}]/u.test(screenOf(state, session).join('')),
      'nothing of the target acts on the terminal',
    )
  }
})

t.test('targets with little to show', async (t) => {
  const empty = new FakeSession({
    report: {
      heap: null,
      findings: [],
      problems: [],
      complete: true,
      maps: { categories: [] },
      ledger: null,
      target: {
        kind: 'live',
        label: 'cat',
        pid: null,
        executable: null,
        threads: 1,
        stop: null,
        glibc: null,
      },
    },
  })
  empty.nextMapped = () => null
  empty.chunkBatches = function* () {}
  const rows = async (...keys: string[]) =>
    screenOf(await stateAfter(empty, SIZES[0]!, keys), empty).join('\n')
  t.match(await rows(), /no glibc malloc was found/)
  t.match(await rows('2', 'j'), /no malloc arenas/)
  t.match(await rows('3', 'j', 'G', '+', ']', 'enter'), /no heap of malloc/)
  t.match(await rows('4', 'j', 'G', 's', 'f', 'enter'), /no such chunk/)
  t.match(await rows('5', 'j', 'G', 'g', 'l', 'h', 'w', ']', 'pagedown', 'k', 'x'), /has no memory to show/)
  t.match(await rows('6', 'j', 'enter'), /nothing is known of threads/)
  t.match(await rows('7', 'j', 'enter', 'l'), /no rule found anything/)
  t.match(
    screenOf(
      await stateAfter(new FakeSession({ pieces: [] }), SIZES[0]!, ['8', 'j', 'enter']),
      new FakeSession({ pieces: [] }),
    ).join('\n'),
    /nothing is mapped/,
  )
  for (const isLive of [true, false]) {
    const mute = new FakeSession({ isLive, stacks: async () => new Map() })
    const says = isLive ? /what it is doing is not known/ : /that takes gdb and the program/
    t.match(screenOf(await stateAfter(mute, SIZES[1]!, ['6']), mute).join('\n'), says, 'no stacks')
  }
  const report = new FakeSession().report
  const core = new FakeSession({
    report: {
      findings: report.findings.filter((finding) => finding.severity === 'info'),
      maps: { categories: report.maps.categories.map((sum) => ({ ...sum, residentBytes: null })) },
      ledger: null,
    },
  })
  const text = screenOf(await stateAfter(core, SIZES[1]!, []), core).join('\n')
  t.match(text, /^ INFO .*\n +evidence/m, 'a note is the verdict when there is nothing worse')
  t.match(text, /bars show virtual size/)
  t.match(text, /reserved .* ░+$/m, 'reserved address space is drawn hollow')
})

t.test('columns', async (t) => {
  t.equal(clip('abcdef', 4), 'abc…')
  t.equal(clip('目次目次', 5), '目次…')
  t.equal(clip('目次目次', 4), '目…')
  t.equal(clip('abc', 0), '')
  t.equal(cell('目次', 6, 'right'), '  目次')
  t.equal(clipRow('\x1b[31mabcdef\x1b[39m', 3), '\x1b[31mab…\x1b[39m')
  t.same(wrap('one two three', 7), ['one two', 'three'])
  t.same(wrap('abcdefgh ij', 3), ['abc', 'def', 'gh', 'ij'])
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, width) => {
      const lines = wrap(text, width).filter((line) => widthOf(line) > Math.max(2, width))
      return widthOf(clip(text, width)) <= width && widthOf(cell(text, width)) === width && lines.length === 0
    }),
  )
})

/** A screen that understands what the compositor sends. */
class Screen {
  lines: string[] = []
  writes = ''
  take(text: string): void {
    this.writes += text
    for (const part of text.split('\x1b[').slice(1)) {
      const at = /^(\d+);1H/.exec(part)
      if (part === '2J') this.lines = []
      else if (at) this.lines[Number(at[1]) - 1] = part.slice(at[0].length)
    }
  }
}

t.test('compositor', async (t) => {
  const screen = new Screen()
  const compositor = new Compositor({ columns: 10, rows: 4 }, (text) => screen.take(text))
  compositor.write('head\n\n\nfoot')
  compositor.paint(['one', 'two'], 1)
  t.same(screen.lines, ['head', 'one', 'two', 'foot'])
  screen.writes = ''
  compositor.paint(['one', 'TWO'], 1)
  t.equal(screen.writes, '\x1b[?2026h\x1b[3;1HTWO\x1b[0m\x1b[K\x1b[?2026l', 'only the line that changed')
  screen.writes = ''
  compositor.paint(['one', 'TWO'], 1)
  t.equal(screen.writes, '', 'nothing for nothing')
  compositor.paint(['a\x1b[2Jb\x07\x9b', 'much too long a line'], 1)
  t.same(screen.lines, ['head', 'a?[2Jb??', 'much too …', 'foot'], 'no control but colour, no row too wide')
  compositor.resize({ columns: 20, rows: 2 })
  compositor.paint(['one'], 1)
  t.same(screen.lines, ['head', 'one'])
})
