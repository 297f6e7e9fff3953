// `arena-inspect watch` on processes whose memory moves in a known way, and says how.
import { copyFileSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Finding } from '../../src/findings/finding.js'
import type { Sample } from '../../src/watch/sample.js'
import { LEAST_VALUES } from '../../src/watch/steady.js'
import type { WatchSummary } from '../../src/watch/summary.js'
import { closeChromium, noChromium, openInChromium } from '../support/chromium.js'
import { arenaInspect } from '../support/command.js'
import { longestGap } from '../support/heartbeat.js'
import { compile, ROOT, type Running, scratch, start } from '../support/programs.js'
import { RunningCommand } from '../support/running-command.js'
import { noTmux, TmuxTerminal } from '../support/tmux.js'
import { endingOf, waitUntil } from '../support/wait-until.js'
import { evidence } from './samples.js'

/** libc's own small chunks, which the program does not count: its output buffer, pthread's. */
const SLACK_BYTES = 16_384
const IN_USE = "bytes in use in malloc's arenas"
const folder = scratch()
const grower = compile('test/programs/grower.c')
t.teardown(closeChromium)

/** What the program said of itself after a step, and when that step began. */
interface Said {
  readonly atMs: number
  readonly ownMs: number
  readonly inUseBytes: number
  readonly arenas: number
}

async function grow(args: readonly string[], program = grower): Promise<Running & { readonly said: Said[] }> {
  const running = await start(program, args, { cwd: folder, env: { MALLOC_ARENA_MAX: '64' } })
  const said: Said[] = []
  let rest = ''
  running.child.stdout!.on('data', (data: Buffer) => {
    const lines = (rest + data).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      const match = /^(\d+) (\d+) (\d+) \d+ (\d+)$/.exec(line)
      if (!match) continue
      const [ownMs, inUseBytes, arenas, atMs] = match.slice(1).map(Number) as [number, number, number, number]
      said.push({ atMs, ownMs, inUseBytes, arenas })
    }
  })
  return { ...running, said }
}

type Line = (Sample & { kind: 'sample'; schema: string; at: string }) | WatchSummary

function parse(stdout: string): { samples: readonly Sample[]; summary: WatchSummary } {
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const summary = lines.at(-1)!
  if (summary.kind !== 'summary') throw new Error('the last line is no summary')
  return { samples: lines.slice(0, -1) as Sample[], summary }
}

/** What a program that only grows had for sure before a read, and has at most when the read is over. */
function bounds(said: readonly Said[], { atMs, tookMs }: Sample): { least: Said; most: Said } | null {
  const least = said[said.findLastIndex((one) => one.atMs < atMs) - 1]
  const most = said.find((one) => one.atMs > atMs + tookMs + 1)
  return least && most ? { least, most } : null
}

/** How many arenas stand still for a read depends on the machine; each that did is held to its bounds. Returns how many. */
function comparedInUse(t: Test, samples: readonly Sample[], said: readonly Said[]): number {
  let compared = 0
  for (const sample of samples) {
    const of = bounds(said, sample)
    const { inUseBytes, movingArenas } = sample
    if (inUseBytes === null || movingArenas > 0 || !of) continue
    compared++
    const [least, most] = [of.least.inUseBytes, of.most.inUseBytes + SLACK_BYTES]
    if (inUseBytes < least || inUseBytes > most) t.fail(`${inUseBytes}, not ${least} to ${most}`)
  }
  return compared
}

const rules = (findings: readonly Finding[]) => findings.map(({ rule }) => rule)

t.test('findings and figures are those of the program', async (t) => {
  const watchIt = async (args: readonly string[], extra: readonly string[] = []) => {
    const target = await grow(args)
    const pid = String(target.pid)
    const run = await arenaInspect([
      'watch',
      '--pid',
      pid,
      '--every',
      '500ms',
      '--for',
      '14s',
      '--json',
      ...extra,
    ])
    await target.kill()
    return { ...run, ...parse(run.stdout), said: target.said }
  }
  const [live, retain, arenas, sawtooth] = await Promise.all([
    // A block each 125 ms: reads find it at rest.
    watchIt(['live', '4000000', '500000']),
    watchIt(['retain', '4000000'], ['--fail-on', 'warning', '-o', join(folder, 'retain.html')]),
    watchIt(['arenas', '600', '40'], ['-o', join(folder, 'arenas.json')]),
    watchIt(['sawtooth', '30000000', '1700'], ['--fail-on', 'info']),
  ])

  await t.test('steady growth', (t) => {
    t.equal(live.code, 0)
    t.same(rules(live.summary.findings), ['steady-growth'])
    const [finding] = live.summary.findings
    // On a starved machine too many reads meet an arena that moves: RSS, which is always known, grows alike.
    const isKnown = live.samples.filter(({ inUseBytes }) => inUseBytes !== null).length >= LEAST_VALUES
    const what = finding!.title.includes('RSS') && !isKnown ? 'resident memory (RSS)' : IN_USE
    const told = evidence(finding!, `${what}, growth an hour`)
    const [from, to] = [live.said[0]!, live.said.at(-1)!]
    const rate = ((to.inUseBytes - from.inUseBytes) / (to.ownMs - from.ownMs)) * 3_600_000
    t.ok(Math.abs(told / rate - 1) < 0.1, `${told} bytes an hour, by the program ${rate}`)
    t.match(
      live.stderr,
      /^arena-inspect: (critical|warning|info): (bytes in use in malloc's arenas|resident memory \(RSS\)) grows? steadily/m,
    )
    t.comment(`${comparedInUse(t, live.samples, live.said)} of ${live.samples.length} reads stood still`)
    t.ok(live.summary.growers.some(({ kind, name }) => kind === 'category' && name === 'malloc: live'))
    t.ok(live.summary.growers.some(({ kind, name }) => kind === 'arena' && name === 'main'))
    t.end()
  })

  await t.test('in use flat while arenas grow', (t) => {
    t.equal(retain.code, 3, '--fail-on')
    t.same(rules(retain.summary.findings), ['retention-growth'])
    const [finding] = retain.summary.findings
    const { first, last } = retain.summary
    const rate = (last!.systemBytes! - first!.systemBytes!) / (last!.atMs - first!.atMs)
    const told = evidence(finding!, 'system bytes, growth an hour')
    t.ok(Math.abs(told / (rate * 3_600_000) - 1) < 0.2, `${told} bytes an hour`)
    const held = retain.said.at(-1)!.inUseBytes
    t.ok(
      Math.abs(last!.inUseBytes! - held) < SLACK_BYTES + 100_000,
      `${last!.inUseBytes} in use, ${held} by the program`,
    )
    t.ok(finding!.fixes!.some(({ text }) => text.startsWith('arena-inspect trim --pid ')))
    t.end()
  })

  await t.test('arenas', (t) => {
    t.equal(arenas.code, 0)
    t.same(rules(arenas.summary.findings), ['arena-count-rising'])
    let compared = 0
    for (const sample of arenas.samples) {
      const of = bounds(arenas.said, sample)
      if (sample.arenas === null || !of) continue
      compared++
      // A thread that has begun may not yet have allocated.
      const [least, most] = [of.least.arenas - 1, of.most.arenas]
      if (sample.arenas < least || sample.arenas > most)
        t.fail(`${sample.arenas} arenas, not ${least} to ${most}`)
    }
    t.ok(compared > 0)
    const { summary } = arenas
    t.ok(summary.last!.arenas! > summary.first!.arenas! + 5)
    t.equal(summary.last!.byArena.length, summary.last!.arenas)
    const file = JSON.parse(readFileSync(join(folder, 'arenas.json'), 'utf8')) as WatchSummary
    t.equal(file.schema, 'arena-inspect-watch/1')
    t.equal(file.history.length, arenas.samples.length, 'the file has the history')
    t.same({ ...file, history: undefined }, { ...summary, history: undefined }, 'and else what was printed')
    t.match(arenas.stderr, /arenas\.json has the history/)
    t.end()
  })

  await t.test('a sawtooth', (t) => {
    t.equal(sawtooth.code, 0)
    t.same(sawtooth.summary.findings, [], 'is no growth')
    const [least, most] = sawtooth.summary.extremes.inUseBytes!
    t.ok(most - least > 10_000_000, `between ${least} and ${most}`)
    t.end()
  })

  for (const { samples } of [live, retain, arenas, sawtooth]) {
    t.ok(samples.length >= 5)
    for (const { systemBytes, inUseBytes, freeInBinsBytes, topBytes, byArena } of samples) {
      if (systemBytes === null || inUseBytes === null) continue
      if (inUseBytes + freeInBinsBytes! + topBytes! !== systemBytes) t.fail('the parts are not the whole')
      const sum = byArena.reduce((all, one) => all + one.systemBytes!, 0)
      if (sum !== systemBytes) t.fail(`arenas sum to ${sum}, not ${systemBytes}`)
    }
  }
})

t.test('once it rests, every figure is that of the program', async (t) => {
  const target = await grow(['rest', '2000'])
  const resting = () => target.said.filter(({ ownMs }) => ownMs >= 2_000)[1]?.atMs ?? Number.POSITIVE_INFINITY
  let rest: Sample[] = []
  const run = new RunningCommand(['watch', '--pid', String(target.pid), '--every', '200ms', '--json'])
  await run.until(({ lines }) => {
    rest = lines.map((line) => JSON.parse(line) as Sample).filter(({ atMs }) => atMs > resting())
    return rest.length > 5
  })
  await waitUntil(
    'the program said what it holds after the last read',
    () => bounds(target.said, rest.at(-1)!) !== null,
    endingOf(target.child),
  )
  run.signal('SIGINT')
  await run.ended
  await target.kill()
  t.equal(comparedInUse(t, rest, target.said), rest.length)
  t.equal(new Set(rest.map(({ inUseBytes }) => inUseBytes)).size, 1, 'one figure')
})

t.test('the end of the target', async (t) => {
  const ending = async (mode: string) => {
    const target = await grow([mode, '6000'])
    const run = await arenaInspect(['watch', '--pid', String(target.pid), '--every', '100ms'])
    await target.kill()
    return { ...run, pid: target.pid }
  }
  const [exit, exec] = await Promise.all([ending('exit'), ending('exec')])
  t.equal(exit.code, 0)
  t.match(exit.stdout, new RegExp(`\\nprocess ${exit.pid} has ended; \\d+ samples in `))
  t.match(exit.stdout, /^ RSS +\S+ MiB/m)
  t.equal(exec.code, 0)
  t.match(
    exec.stdout,
    new RegExp(`\\nprocess ${exec.pid} has started another program \\(exe\\); \\d+ samples in `),
  )
  t.notOk((exit.stdout + exec.stdout).includes('\x1b'), 'nothing moves the cursor of a pipe')
  const gone = await arenaInspect(['watch', '--pid', String(exit.pid)])
  t.equal(gone.code, 1)
})

t.test('signals', async (t) => {
  const target = await grow(['still'])
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const file = join(folder, `${name}.json`)
    const run = new RunningCommand(['watch', '--pid', String(target.pid), '--every', '100ms', '-o', file])
    await run.until(({ lines }) => lines.length >= 4)
    t.equal(childrenOf(run.pid), '', 'gdb is gone after the first sample')
    run.signal(name)
    const ended = await run.ended
    t.equal(ended.code, code)
    t.match(ended.stdout, /\ninterrupted; \d+ samples? in [\s\S]*No finding/)
    t.equal(
      (JSON.parse(readFileSync(file, 'utf8')) as WatchSummary).end!.why,
      'signal',
      'the file is written',
    )
    t.match(stateOf(target.pid), /^[RSD]$/, 'the target runs on')
  }
  await target.kill()
})

function childrenOf(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
}

function stateOf(pid: number): string {
  return /^State:\t(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
}

t.test('wrong usage', async (t) => {
  const target = await grow(['still'])
  const pid = String(target.pid)
  for (const [args, code, line] of [
    [['watch'], 2, /name a core file or --pid N|--pid/],
    [['watch', '--pid', pid, '--every', 'soon'], 2, /--every takes a time, not "soon"/],
    [['watch', '--pid', pid, '--every', '10ms'], 2, /--every takes 50ms or more/],
    [['watch', '--pid', pid, '--count', '0'], 2, /--count takes 1 or more/],
    [['watch', '--pid', pid, '-o', 'watch.txt'], 2, /ends in \.html or \.json/],
    [['watch', '--pid', pid, '-o', '/nowhere/watch.html'], 1, /cannot write to \/nowhere/],
    [['watch', '--pid', pid, '--prometheus', '99999'], 2, /--prometheus takes \[HOST:\]PORT/],
  ] as const) {
    const run = await arenaInspect(args)
    t.equal(run.code, code, args.join(' '))
    t.match(run.stderr, line)
    t.equal(run.stdout, '')
  }
  const { code, stdout } = await arenaInspect(['--explain', 'steady-growth'])
  t.equal(code, 0)
  t.match(stdout, /Theil–Sen/)
  await target.kill()
})

const NO_LIBC = `
static long call(long nr, long a, const void *b, long c) {
  long answer;
  __asm__ volatile("syscall" : "=a"(answer) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return answer;
}
void _start(void) {
  call(1, 1, "ready\\n", 6);
  for (;;) call(34, 0, 0, 0);
}
`

t.test(
  'a process without glibc',
  { skip: process.arch === 'x64' ? false : 'its system calls are those of x86-64' },
  async (t) => {
    const target = await start(
      compile(NO_LIBC, ['-static', '-nostdlib', '-nostartfiles', '-fno-stack-protector']),
    )
    const rests = await grow(['still'])
    const strict = (pid: number) =>
      arenaInspect(['watch', '--pid', String(pid), '--every', '100ms', '--count', '3', '--strict', '--json'])
    const bare = await strict(target.pid)
    t.equal(bare.code, 4, '--strict: arenas are unknown')
    const { samples, summary } = parse(bare.stdout)
    t.equal(samples.length, 3)
    for (const sample of samples) {
      t.match(sample, { arenas: null, systemBytes: null, inUseBytes: null, mmappedBytes: null, byArena: [] })
      t.ok(sample.rssBytes! > 0 && sample.virtualBytes! >= sample.rssBytes!)
    }
    t.same(summary.findings, [])
    t.ok(summary.problems.length > 0, 'and why is said')
    t.equal((await strict(rests.pid)).code, 0, 'all is known of one that rests')
    await target.kill()
    await rests.kill()
  },
)

t.test('the heartbeat goes on', async (t) => {
  const program = compile('examples/programs/arena-bloat.c')
  const args = (name: string) => ['16', '4', '1', 'log:16:4096', join(folder, name)]
  const target = await start(program, args('target'), { cwd: folder })
  const twin = await start(program, args('twin'), { cwd: folder })
  const beat = join(folder, 'target.hb')
  const gaps = { control: [] as number[], watched: [] as number[] }
  const tracers = new Set<string>()
  for (let round = 0; round < 3; round++) {
    const watchIt = (pid: number) =>
      arenaInspect(['watch', '--pid', String(pid), '--every', '200ms', '--count', '8', '--json'])
    // Control: the same work on a twin, so that both runs take the same share of the machine.
    const control = await longestGap(beat, () => watchIt(twin.pid))
    const look = setInterval(() => tracers.add(tracerOf(target.pid)), 2)
    let samples = 0
    const watched = await longestGap(beat, async () => {
      samples = parse((await watchIt(target.pid)).stdout).samples.length
    })
    clearInterval(look)
    t.equal(samples, 8)
    t.ok(control.beats > 0 && watched.beats > 0, 'the heart beats')
    gaps.control.push(control.gapMs)
    gaps.watched.push(watched.gapMs)
  }
  t.comment(`longest gaps in ms: ${JSON.stringify(gaps)}`)
  t.same([...tracers], ['0'], 'nobody traced it')
  t.ok(
    gaps.watched.sort((a, b) => a - b)[1]! <= 2 * Math.max(...gaps.control),
    'no gap beyond the noise of the control',
  )
  await target.kill()
  await twin.kill()
})

function tracerOf(pid: number): string {
  return /^TracerPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
}

t.test('on a terminal', { skip: noTmux() }, async (t) => {
  const target = await grow(['live', '3000000'])
  const terminal = new TmuxTerminal({ columns: 110, rows: 30 })
  const block =
    /^ RSS +[▁-█]{3,} +\S+ MiB .*\n system .*\n in use .*\n arenas .*\n grew since \d\d:\d\d:\d\d: malloc: live \+/m
  try {
    await terminal.until(/ready>/)
    terminal.type(`${process.execPath} ${join(ROOT, 'dist/cli.js')} watch --pid ${target.pid} --every 300ms`)
    const screen = await terminal.until(block)
    t.equal(screen.match(/^ in use /gm)?.length, 1, 'drawn in place')
    t.ok(screen.match(/^\d\d:\d\d:\d\d {2}RSS /gm)!.length >= 3, 'below a line for each sample')
    terminal.resize(60, 30)
    await terminal.until((text) => / in use .*\n arenas /.test(text) && lineCount(text) > 2)
    t.equal(
      terminal.screen().match(/^ grew since the last/gm)?.length,
      1,
      'still once when it became narrower',
    )
    terminal.resize(140, 40)
    await terminal.until(/^ (CRITICAL|WARNING|INFO) bytes in use/m)
    terminal.press('C-c')
    const end = await terminal.until(/ready>\s*$/)
    t.match(end, /^interrupted; \d+ samples/m)
    t.equal(end.match(/^ grew since the last/gm), null, 'the block is gone')
    terminal.type('echo code=$?')
    await terminal.until(/code=130/)
  } finally {
    terminal.close()
    await target.kill()
  }
})

function lineCount(screen: string): number {
  return screen.match(/^\d\d:\d\d:\d\d /gm)?.length ?? 0
}

t.test('the page in a browser', { skip: noChromium() }, async (t) => {
  const file = join(folder, 'retain.html')
  for (const scheme of ['light', 'dark'] as const) {
    const { page, complaints, requests } = await openInChromium(file, { scheme })
    t.same([complaints, requests], [[], []], scheme)
    t.equal(await page.evaluate(`document.querySelectorAll('canvas').length`), 3)
    const inks = (await page.evaluate(`[...document.querySelectorAll('canvas')].map((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      const seen = new Set()
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200) seen.add(data.slice(at, at + 3).join())
      return seen.size
    })`)) as number[]
    t.ok(
      inks.every((colours) => colours >= 3),
      `${inks} colours in the charts`,
    )
    const text = (await page.evaluate('document.body.innerText')) as string
    t.ok(
      text.indexOf('grow by') > 0 && text.indexOf('grow by') < text.indexOf('Where the resident memory is'),
      'findings first',
    )
    t.match(text, /times in \S+ \(UTC[+-]\d\d:\d\d\)/)
    t.match(text, /What grew most\n[\s\S]*main arena/)
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    t.ok((overflow as number) <= 0, 'nothing hangs over the edge')
    await page.close()
  }
})

t.test('a program with a hostile name', async (t) => {
  const name = '<img src=x onerror=alert(1)>\x1b[2J"&'
  const program = join(folder, name)
  copyFileSync(grower, program)
  const target = await grow(['still'], program)
  const file = join(folder, 'hostile.html')
  const run = await arenaInspect([
    'watch',
    '--pid',
    String(target.pid),
    '--every',
    '100ms',
    '--count',
    '2',
    '-o',
    file,
  ])
  await target.kill()
  rmSync(program)
  t.equal(run.code, 0)
  t.notOk(run.stdout.includes('\x1b'))
  t.match(run.stdout, '<img src=x onerror=alert(1)>\\x1b[2J"&')
  const html = readFileSync(file, 'utf8')
  t.notMatch(html, '<img')
  t.match(html, '&#60;img src=x onerror=alert(1)&#62;\\x1b[2J&#34;&#38;')
})
