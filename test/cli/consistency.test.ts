// Figures of a process that never pauses lie within its own bounds, and --stop is one exact, short look.
import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import type { Report, ReportArena } from '../../src/report/report.js'
import { openSession } from '../../src/session/open-session.js'
import { arenaInspect } from '../support/command.js'
import { statusOfThreads } from '../support/control-page.js'
import { endNow, endWithUs } from '../support/end-with-us.js'
import { longestGap } from '../support/heartbeat.js'
import { compile, ROOT, type Running, scratch, start } from '../support/programs.js'
import { type Ending, endingOf, waitUntil } from '../support/wait-until.js'

const folder = scratch()
const run = promisify(execFile)
const THREADS = 16
const REPORTS = Number(process.env.ARENA_INSPECT_REPORTS ?? 100)
const STOPPED_REPORTS = 10
/** In its hands for a moment: a chunk that a thread counts before or after malloc does; and its tcache's own struct. */
const SLACK_BYTES = 2 * 5024 + 1024

interface Row {
  readonly epoch: bigint
  readonly first: bigint
  readonly least: number
  readonly most: number
  readonly calls: number
}

/** The board of test/programs/busy-arenas.c. */
class Board {
  readonly #fd: number
  /** Of the program. */
  readonly ending: Ending
  constructor(file: string, busy: Running) {
    this.#fd = openSync(file, 'r+')
    this.ending = endingOf(busy.child)
  }

  rows(): Row[] {
    const bytes = Buffer.alloc(8 + THREADS * 48)
    readSync(this.#fd, bytes, 0, bytes.length, 0)
    return Array.from({ length: THREADS }, (_, i) => {
      const word = (k: number) => bytes.readBigInt64LE(8 + 48 * i + 8 * k)
      return {
        epoch: word(0),
        first: word(1),
        least: Number(word(3)),
        most: Number(word(4)),
        calls: Number(word(5)),
      }
    })
  }

  /** Bounds begin now. */
  async begin(epoch: bigint): Promise<void> {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(epoch)
    writeSync(this.#fd, bytes, 0, 8, 0)
    const hasBegun = () => this.rows().every((row) => row.epoch === epoch)
    await waitUntil('its bounds begin', hasBegun, this.ending)
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** What an arena says of itself and cannot be; empty when all is well. */
function contradictions(arena: ReportArena): string[] {
  const { systemBytes, inUseBytes, freeBytes, fastbinBytes, binnedBytes, topBytes } = arena
  const { liveBytes, tcacheBytes, overheadBytes, moving } = arena
  const said: string[] = []
  const sum = (...parts: (number | null)[]) =>
    parts.includes(null) ? null : parts.reduce<number>((all, part) => all + part!, 0)
  const equal = (what: string, a: number | null, b: number | null) => {
    if (a !== null && b !== null && a !== b) said.push(`${what}: ${a} and ${b}`)
  }
  equal('in use + free = system', sum(inUseBytes, freeBytes), systemBytes)
  equal('fastbins + bins + top = free', sum(fastbinBytes, binnedBytes, topBytes), freeBytes)
  if (moving === null)
    equal('live + tcache + overhead = in use', sum(liveBytes, tcacheBytes, overheadBytes), inUseBytes)
  for (const [name, value] of Object.entries(arena)) {
    if (typeof value === 'number' && value < 0) said.push(`${name} is ${value}`)
  }
  if (moving) {
    for (const range of [moving.systemBytes, moving.inUseBytes]) {
      if (range && range[0] > range[1]) said.push(`the range ${range}`)
    }
    if (arena.complete) said.push('moving and complete')
  }
  return said.map((text) => `arena ${arena.index}: ${text}`)
}

// Nice, so that a hundred reports are not a hundred times the wait for a CPU; it allocates without pause all the same.
function startBusy(file: string, options: { env?: NodeJS.ProcessEnv } = {}): Promise<Running> {
  const program = compile('test/programs/busy-arenas.c')
  return start('/usr/bin/nice', ['-n', '19', program, String(THREADS), file], { cwd: folder, ...options })
}

function arenaOf(arenas: readonly ReportArena[], row: Row): ReportArena {
  return arenas.find(({ address }) => BigInt(address) >> 26n === row.first >> 26n)!
}

t.test('threads that allocate without pause', async (t) => {
  const file = join(folder, 'board')
  const busy = await startBusy(file, {
    // Without tcaches what an arena has in use is what its thread holds.
    env: { GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0' },
  })
  const board = new Board(file, busy)
  const settled = { arenas: 0, moving: 0, movingWithBounds: 0 }
  let epoch = 0n
  const byCommand = async (...more: string[]): Promise<Report> => {
    const { code, stdout, stderr } = await arenaInspect([
      'report',
      '--pid',
      String(busy.pid),
      '--json',
      ...more,
    ])
    if (code !== 0) t.fail(`exit code ${code}: ${stderr}`)
    return JSON.parse(stdout) as Report
  }
  const look = async (take: () => Promise<Report>): Promise<Report> => {
    await board.begin(++epoch)
    const report = await take()
    const rows = board.rows()
    const { arenas, totals } = report.heap!
    if (arenas.length !== THREADS + 1) t.fail(`${arenas.length} arenas`)
    const wrong = arenas.flatMap(contradictions)
    for (const row of rows) {
      const { index, inUseBytes, overheadBytes, moving } = arenaOf(arenas, row)
      const least = row.least - SLACK_BYTES
      const most = row.most + SLACK_BYTES
      if (moving === null && inUseBytes !== null) {
        settled.arenas++
        const held = inUseBytes - overheadBytes!
        if (held < least || held > most)
          wrong.push(`arena ${index}: ${held} is outside of ${least} to ${most}`)
      } else settled.moving++
      if (moving?.inUseBytes) settled.movingWithBounds++
    }
    if (totals.inUseBytes !== null) {
      const sum = arenas.reduce((all, arena) => all + arena.inUseBytes!, 0)
      if (sum !== totals.inUseBytes) wrong.push(`total ${totals.inUseBytes} of arenas that hold ${sum}`)
    }
    if (wrong.length > 0) t.fail(wrong.join('\n'))
    return report
  }

  await t.test('read while it runs', async (t) => {
    const before = board.rows()
    const session = await openSession({ kind: 'live', pid: busy.pid }, { useGdb: false })
    for (let round = 0; round < REPORTS; round++)
      await look(round % 5 === 0 ? () => byCommand('--no-gdb') : () => session.refresh())
    await session.close()
    const after = board.rows()
    t.ok(
      after.every((row, i) => row.calls > before[i]!.calls),
      'all threads ran on',
    )
    t.ok(settled.arenas > 0, `${JSON.stringify(settled)} in ${REPORTS} reports`)
    t.comment(JSON.stringify(settled))
  })

  await t.test('standing still', async (t) => {
    const times: number[] = []
    for (let round = 0; round < STOPPED_REPORTS; round++) {
      settled.moving = 0
      const { target, complete, heap } = await look(() => byCommand('--stop'))
      times.push(target.stop!.stoodStillMs)
      t.ok(complete, JSON.stringify(heap!.anomalies))
      t.equal(settled.moving, 0, 'every arena is of one moment')
    }
    t.comment(`stood still for ${times.map(Math.round)} ms`)
    const before = board.rows()
    await sleep(200)
    t.ok(
      board.rows().some((row, i) => row.calls > before[i]!.calls),
      'it runs on',
    )
  })
  board.close()
  await busy.kill()
})

t.test('how long it stands still', async (t) => {
  const program = compile('examples/programs/arena-bloat.c')
  const args = ['64', '32', '60', 'log:16:4096', join(folder, 'large')]
  // malloc_stats prints into the target's own stderr.
  const quietly = ['-c', 'exec "$0" "$@" 2>/dev/null', program, ...args]
  const target = await start('/bin/sh', quietly, { cwd: folder })
  const beat = join(folder, 'large.hb')
  const pid = String(target.pid)
  const gaps = { stop: [] as number[], gdb: [] as number[] }
  let last: Report | null = null
  for (let round = 0; round < 3; round++) {
    const attach = ['--batch', '--pid', pid, '--ex', 'call malloc_stats()']
    const gdb = await longestGap(beat, () => run('gdb', attach, { maxBuffer: 1e9 }).catch(calledAllTheSame))
    const stop = await longestGap(beat, async () => {
      last = JSON.parse((await arenaInspect(['report', '--pid', pid, '--stop', '--json'])).stdout) as Report
    })
    gaps.gdb.push(gdb.gapMs)
    gaps.stop.push(stop.gapMs)
    t.ok(gdb.beats > 0 && stop.beats > 0, 'the heart beats')
  }
  t.comment(`longest gaps in ms: ${JSON.stringify(gaps)}; it says ${last!.target.stop!.stoodStillMs} ms`)
  // The shortest of each: a busy machine only adds to them. `npm run bench` has the ratios.
  t.ok(Math.min(...gaps.stop) < Math.min(...gaps.gdb), JSON.stringify(gaps))
  t.match(last!.problems.join('\n'), /^64 of 64 arenas are too large to be read while/m)
  const running = JSON.parse((await arenaInspect(['report', '--pid', pid, '--json'])).stdout) as Report
  t.same(last!.heap!.arenas, running.heap!.arenas, 'and its figures are those of a process that does nothing')
  await target.kill()
})

// gdb 13 on processors with AMX: it calls, cannot put the registers back, and says so when all is over.
function calledAllTheSame(error: Error & { stderr?: string }): void {
  if (!/Couldn't write extended state status/.test(error.stderr ?? '')) throw error
}

t.test('whatever happens to us, it runs on', async (t) => {
  const file = join(folder, 'kills')
  const busy = await startBusy(file)
  const board = new Board(file, busy)
  let heldWhenKilled = 0
  for (let round = 0; round < 20; round++) {
    const args = [join(ROOT, 'dist/cli.js'), 'report', '--pid', String(busy.pid), '--stop', '--json']
    const child = endWithUs(
      spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], { stdio: 'ignore' }),
    )
    // Now and then at any time, else as soon as it stands still.
    if (round % 4 === 0) await sleep(30 * round)
    else await waitUntil('it is held', () => isTraced(busy.pid) || child.exitCode !== null)
    if (isTraced(busy.pid)) heldWhenKilled++
    await endNow(child)
    await waitUntil('it is let go', () => !isTraced(busy.pid))
    await waitUntil('no thread stands still', () =>
      statusOfThreads(busy.pid, 'State').every((state) => !/ [tT] /.test(state)),
    )
    const before = board.rows()
    await waitUntil(
      'a thread allocates',
      () => board.rows().some((row, i) => row.calls > before[i]!.calls),
      board.ending,
    )
  }
  // Nice as they are, it takes a while until each has had its turn.
  const before = board.rows()
  await waitUntil(
    'all threads allocate',
    () => board.rows().every((row, i) => row.calls > before[i]!.calls),
    board.ending,
  )
  t.ok(
    heldWhenKilled > 0,
    `${heldWhenKilled} of 20 kills came while it stood still, and it ran on after each`,
  )
  board.close()
  await busy.kill()
})

t.test('what cannot be stopped', async (t) => {
  const target = await start(compile('test/programs/busy-arenas.c'), ['1', join(folder, 'traced')], {
    cwd: folder,
  })
  const pid = String(target.pid)
  const tracer = endWithUs(
    spawn('gdb', ['-nx', '-q', '-batch', '-p', pid, '-ex', 'shell sleep 60'], { stdio: 'ignore' }),
  )
  await waitUntil('gdb has it', () => isTraced(target.pid), endingOf(tracer))
  const traced = await arenaInspect(['report', '--pid', pid, '--stop'])
  t.equal(traced.code, 1)
  t.match(traced.stderr, /may not be stopped \(EPERM\): another process traces it/)
  await endNow(tracer)
  const missing = await arenaInspect(['report', '--pid', pid, '--stop', '--gdb', '/no/such/gdb'])
  t.equal(missing.code, 1)
  t.match(missing.stderr, /could not be stopped: .*\/no\/such\/gdb/)
  const core = await arenaInspect(['report', '/etc/passwd', '--stop'])
  t.equal(core.code, 2)
  t.match(core.stderr, /--stop is for live processes/)
  await target.kill()
})

function isTraced(pid: number): boolean {
  return !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}
