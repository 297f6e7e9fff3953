// 10,000 inputs at random against the whole TUI but the operating system: no frame is broken, nothing throws.
// MONKEY_SEED repeats a run, MONKEY_KEYS says how long it is.
import t, { type Test } from 'tap'
import type { Session } from '../../../src/session/session.js'
import type { Chrome } from '../../../src/views/tui/chrome.js'
import type { Compositor } from '../../../src/views/tui/compositor.js'
import type { Paint } from '../../../src/views/tui/paint.js'
import { runTui } from '../../../src/views/tui/run-tui.js'
import type { TuiServices } from '../../../src/views/tui/services.js'
import { TuiRun } from '../../../src/views/tui/tui-run.js'
import type { Size } from '../../../src/views/tui/tui-state.js'
import { FakeSession } from '../../fakes/fake-session.js'
import { randomFrom } from '../../support/random.js'
import { waitUntil } from '../../support/wait-until.js'
import { FakeTerminal } from './fake-terminal.js'
import { nextInput } from './monkey.js'

const SEED = Number(process.env.MONKEY_SEED ?? 20_261_128)
const KEYS = Number(process.env.MONKEY_KEYS ?? 10_000)
const SIZES: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 40, rows: 10 },
  { columns: 120, rows: 40 },
  { columns: 36, rows: 8 },
  { columns: 20, rows: 4 },
  { columns: 61, rows: 13 },
]
/** `q` ends the run; what is typed at `:` can, too. */
const WITHOUT = 'q'

function sessionOf(random: () => number): Session {
  const isLive = random() < 0.5
  const session: FakeSession = new FakeSession({
    isLive,
    refresh: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      if (random() < 0.2) throw new Error('the process \x1b[2J is gone')
      const { report } = session
      const arenas = report.heap?.arenas.filter(() => random() < 0.95) ?? []
      const heap = report.heap && random() < 0.95 ? { ...report.heap, arenas } : null
      const target = { ...report.target, kind: 'live' as const }
      return { ...report, heap, target, findings: random() < 0.5 ? [] : report.findings }
    },
  })
  if (isLive) session.report = { ...session.report, target: { ...session.report.target, kind: 'live' } }
  return session
}

function servicesOf(random: () => number): TuiServices {
  return {
    exportReport: async () => 'wrote it \x1b[2J',
    async prepare() {
      if (random() < 0.3) throw new Error('it cannot be \x1b[31m done')
      const lines = Array.from({ length: 40 }, (_, i) => `line ${i} \u3042\x1b[2J`)
      return { lines, question: 'do something', run: async () => ['it was done'] }
    },
  }
}

/** Ink's lines as they are given to it: Ink itself takes longer than all the rest. */
class PlainScreen {
  constructor(
    readonly compositor: Compositor,
    readonly paint: Paint,
  ) {}
  showFrame({ size, header, tabs, status, keys }: Chrome): void {
    this.compositor.write([header, tabs, ...Array(size.rows - 4).fill(''), status, keys].join('\n'))
  }
  showOpening(): void {
    this.compositor.write('opening')
  }
  showTooSmall(): void {
    this.compositor.write('enlarge')
  }
  unmount(): void {}
}

type Start = (terminal: FakeTerminal, session: Session, run: number) => Promise<string>

async function monkey(t: Test, keys: number, start: Start): Promise<void> {
  t.comment(`MONKEY_SEED=${SEED} repeats this`)
  const random = randomFrom(SEED)
  let typed = 0
  let last: string[] = []
  for (let runs = 1; typed < keys; runs++) {
    const terminal = new FakeTerminal(80, 24)
    let ended = false
    const run = start(terminal, sessionOf(random), runs).finally(() => {
      ended = true
    })
    run.catch(() => undefined)
    await waitUntil('the first frame', () => ended || terminal.screen.some((row) => row.includes('Overview')))
    for (; typed < keys * (runs / 5) && !ended && terminal.wrong.length === 0; typed++) {
      const input = nextInput(random, WITHOUT, terminal.columns, terminal.rows)
      last = [...last, input].slice(-40)
      terminal.type(input)
      if (random() < 0.02) {
        const size = SIZES[Math.floor(random() * SIZES.length)]!
        last.push(`${size.columns}x${size.rows}`)
        terminal.resize(size)
      }
      if (random() < 0.4) await new Promise((resolve) => setImmediate(resolve))
      if (!ended) terminal.check()
    }
    if (terminal.wrong.length > 0) {
      t.fail(`after input ${typed} of seed ${SEED}: ${terminal.wrong[0]}`, { last, screen: terminal.screen })
      return
    }
    // Ctrl-C waits while a process is being changed.
    await waitUntil('the run ends', () => {
      if (!ended) terminal.type('\x1b\x03')
      return ended
    })
    t.match(await run, /quit|SIGINT/, `run ${runs} ends as asked`)
  }
}

t.test(`${KEYS} inputs`, (t) =>
  monkey(t, KEYS, (terminal, session, runs) => {
    const services = servicesOf(randomFrom(SEED + runs))
    const run = new TuiRun(terminal.streams, { color: runs % 2 === 0, ascii: runs % 5 === 4, services })
    const mount = (compositor: Compositor, paint: Paint) => new PlainScreen(compositor, paint) as never
    return run.start(mount, Promise.resolve(session))
  }),
)

t.test('some of them with Ink around the panes', (t) =>
  monkey(t, Math.ceil(KEYS / 20), (terminal, session, runs) =>
    runTui(session, { ...terminal.streams, color: true, services: servicesOf(randomFrom(SEED + runs)) }),
  ),
)
