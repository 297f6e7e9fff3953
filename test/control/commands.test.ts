// stats, verify, trim and limit on real processes: what they say, what they leave, and when they refuse.
import { execFileSync, spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseTaskStatus, refusalOf, type TaskStatus } from '../../src/control/guard.js'
import { wayOf } from '../../src/control/limit.js'
import { layoutOfVersion, minorVersion } from '../../src/malloc/layout.js'
import { arenaInspect, type Ended } from '../support/command.js'
import { controlPage, descriptors, statusOfThreads } from '../support/control-page.js'
import { endWithUs } from '../support/end-with-us.js'
import { compile, scratch } from '../support/programs.js'
import { waitUntil } from '../support/wait-until.js'

interface Target {
  readonly pid: number
  readonly page: string
  readonly errors: string
  end(): void
}

/** Starts control-target in one of its modes; stderr goes to a file. */
async function target(mode: string, argument = '0', flags: readonly string[] = []): Promise<Target> {
  const folder = scratch()
  const [errors, page] = [join(folder, 'stderr'), join(folder, 'page')]
  const program = compile('test/programs/control-target.c', flags)
  const child = spawn(program, [mode, page, argument], {
    stdio: ['ignore', 'pipe', openSync(errors, 'a')],
    env: { PATH: process.env.PATH },
  })
  endWithUs(child)
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`control-target ${mode} ended: ${code}`)))
  })
  return { pid: child.pid!, page, errors, end: () => child.kill('SIGKILL') }
}

const run = (command: string, { pid }: Target, ...more: string[]): Promise<Ended> =>
  arenaInspect([command, '--pid', String(pid), ...more])

async function json(t: Test, command: string, of: Target, ...more: string[]) {
  const ended = await run(command, of, '--yes', '--json', ...more)
  t.equal(ended.code, 0, `${command}: ${ended.stderr.trim()}`)
  return JSON.parse(ended.stdout)
}

/** Exit code 1, one line with the reason and a next step, nothing on stdout. */
async function refuses(t: Test, of: Target, reason: RegExp, ...commands: string[]) {
  for (const command of commands.length > 0 ? commands : ['stats', 'verify', 'trim', 'limit']) {
    const more = command === 'limit' ? ['--arena-max', '2'] : []
    const ended = await run(command, of, '--yes', '--wait', '1', ...more)
    t.equal(ended.code, 1, `${command} refuses`)
    t.equal(ended.stdout, '')
    t.match(ended.stderr.trim().split('\n').at(-1), reason, command)
    t.match(ended.stderr, /; /, 'a next step')
  }
}

const own = minorVersion(
  execFileSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' }).trim().split(' ')[1]!,
)!

t.test('several arenas: all commands, and nothing is left behind', async (t) => {
  const many = await target('arenas', '5')
  const fds = descriptors(many.pid)
  const mappings = () => readFileSync(`/proc/${many.pid}/maps`, 'utf8').split('\n').length
  const before = mappings()
  const stats = await json(t, 'stats', many)
  t.equal(stats.mallocStats.arenas.length, 6)
  t.match(stats.mallocStats.text, /^Arena 0:\nsystem bytes/)
  t.match(stats.mallocInfo.xml, /^<malloc version="1">[\s\S]*<\/malloc>\n$/)
  t.equal(stats.trueTotals.systemBytes, stats.mallocStats.totalSystemBytes, 'nothing wraps here')
  t.equal(stats.trueTotals.inUseBytes, stats.mallocStats.totalInUseBytes)
  t.equal(stats.trueTotals.wrapped, false)
  const shown = await run('stats', many, '--yes')
  t.match(shown.stdout, /^Arena 0:\n[\s\S]*\nTrue totals/)
  const checked = await json(t, 'verify', many)
  t.same(checked.differences, [])
  t.equal(checked.ours.arenas.length, 6)
  t.match(
    (await run('verify', many, '--yes')).stdout,
    /Every number equals glibc's own \(malloc_info and malloc_stats\)/,
  )
  t.same(descriptors(many.pid), fds, 'file descriptors')
  t.equal(mappings(), before, 'mappings')
  const dry = await json(t, 'trim', many, '--dry-run')
  t.ok(dry.predictedBytes > 10 << 20, 'four fifths of 5 × 4 MB')
  const rss = await json(t, 'stats', many)
  t.equal(rss.trueTotals.inUseBytes, stats.trueTotals.inUseBytes, 'a rehearsal changes nothing')
  const trimmed = await json(t, 'trim', many)
  const { predictedBytes, returnedBytes, beforeBytes, afterBytes } = trimmed.process
  t.equal(predictedBytes, dry.predictedBytes)
  t.equal(returnedBytes, beforeBytes - afterBytes)
  t.ok(
    Math.abs(returnedBytes - predictedBytes) <= 0.02 * predictedBytes,
    `${predictedBytes} → ${returnedBytes}`,
  )
  for (const arena of trimmed.arenas) {
    t.ok(
      Math.abs(arena.returnedBytes - arena.predictedBytes) <= 0.02 * arena.predictedBytes,
      `arena ${arena.index}`,
    )
  }
  t.match((await run('trim', many, '--yes')).stdout, /^malloc_trim\(0\) returned [01]; 0 B less in RAM\n/)
  t.same(descriptors(many.pid), fds)
  t.equal(readFileSync(many.errors, 'utf8'), '', 'its stderr has nothing of ours')
  many.end()
})

t.test('limit, with the symbols of libc and without', async (t) => {
  const few = await target('arenas', '3')
  const dry = await json(t, 'limit', few, '--arena-max', '4', '--dry-run')
  t.equal(dry.way, 'mallopt')
  const set = await json(t, 'limit', few, '--arena-max', '4', '--gdb', withoutDebugFiles())
  t.match(set, { way: 'mallopt', arenaMax: 4, narenasLimit: null, before: { arenas: 4, arenaMax: 0 } })
  const again = await json(t, 'limit', few, '--arena-max', '3')
  t.match(again, { way: 'mallopt', arenaMax: 3, narenasLimit: 0 })
  few.end()
  const many = await target('arenas', '11')
  await refusesLimit(t, many)
  const written = await json(t, 'limit', many, '--arena-max', '5')
  t.match(written, { way: 'write', narenasLimit: 5, before: { arenas: 12 } })
  t.ok(written.before.narenasLimit >= 12)
  t.match((await run('limit', many, '--arena-max', '5', '--yes')).stdout, /never merged/)
  many.end()
})

// A gdb that looks for debug files where there are none.
function withoutDebugFiles(): string {
  const wrapper = join(scratch(), 'gdb')
  execFileSync('sh', ['-c', 'cat > "$0"; chmod 755 "$0"', wrapper], {
    input: '#!/bin/sh\nexec gdb -iex "set debug-file-directory /nonexistent" "$@"\n',
  })
  return wrapper
}

async function refusesLimit(t: Test, of: Target) {
  const ended = await run('limit', of, '--arena-max', '5', '--yes', '--gdb', withoutDebugFiles())
  t.equal(ended.code, 1)
  t.match(ended.stderr, /latched: it has 12 arenas.*nothing was changed; restart it with MALLOC_ARENA_MAX=5/)
}

t.test('which way the limit can be set', async (t) => {
  const state = { arenas: 5, arenaTest: 8, arenaMax: 0, narenasLimit: null }
  t.equal(wayOf(state, 36), 'mallopt')
  t.equal(wayOf({ ...state, arenas: 8 }, 36), 'mallopt')
  t.equal(wayOf({ ...state, arenas: 9 }, 36), 'none', 'the next wish for an arena may have been')
  t.equal(wayOf({ ...state, arenaMax: 6 }, 36), 'none', 'M_ARENA_MAX was set before an arena was made')
  t.equal(wayOf({ ...state, arenas: 1, arenaMax: 6 }, 36), 'mallopt', 'nobody has asked yet')
  t.equal(wayOf(state, 44), 'none')
  t.equal(wayOf({ ...state, arenaTest: null }, 36), 'none')
  const at = 0n as never
  t.equal(wayOf({ ...state, arenas: 40, narenasLimit: { address: at, value: 16 } }, 36), 'write')
  t.equal(wayOf({ ...state, arenas: 40, narenasLimit: { address: at, value: 0 } }, 36), 'mallopt')
})

t.test('totals beyond 32 bits', async (t) => {
  const huge = await target('huge')
  const { trueTotals, mallocStats } = await json(t, 'stats', huge)
  t.ok(trueTotals.systemBytes > 5 * 2 ** 30)
  t.equal(trueTotals.wrapped, true)
  t.equal(mallocStats.totalSystemBytes, trueTotals.systemBytes % 2 ** 32)
  t.equal(mallocStats.totalInUseBytes, trueTotals.inUseBytes % 2 ** 32)
  const { stdout } = await run('stats', huge, '--yes')
  t.match(
    stdout,
    /system bytes += +5,\d{3},\d{3},\d{3} {3}malloc_stats prints \d+: its counter has 32 bits and wrapped around 1 ×/,
  )
  t.same((await json(t, 'verify', huge)).differences, [], 'verify knows how it prints')
  huge.end()
})

t.test('one thread', async (t) => {
  const single = await target('single')
  t.same((await json(t, 'verify', single)).differences, [])
  await json(t, 'trim', single)
  await json(t, 'limit', single, '--arena-max', '2')
  const beats = controlPage(single.page).beats
  await waitUntil('it goes on', () => controlPage(single.page).beats > beats + 3)
  t.equal(controlPage(single.page).interrupted, 0, 'no sleep of it ended early')
  t.same(statusOfThreads(single.pid, 'SigBlk'), [`${single.pid} 0000000000000000`])
  single.end()
})

t.test('waits go on: poll, read, a condition, sleep', async (t) => {
  const waits = await target('waits')
  for (let round = 0; round < 5; round++) await json(t, 'stats', waits)
  t.equal(controlPage(waits.page).interrupted, 0, 'none ended early')
  waits.end()
})

for (const [mode, before, after] of [
  ['buffered', '', 'pending\nafter\n'],
  ['wide', '', 'after\n'],
] as const) {
  t.test(`a stderr that is ${mode}`, async (t) => {
    const odd = await target(mode)
    const stats = await json(t, 'stats', odd)
    t.match(stats.mallocStats.text, /^Arena 0:/)
    t.equal(readFileSync(odd.errors, 'utf8'), before, 'not a byte went out')
    process.kill(odd.pid, 'SIGUSR1')
    await waitUntil('it writes', () => readFileSync(odd.errors, 'utf8') !== before)
    t.equal(readFileSync(odd.errors, 'utf8'), after, 'what it writes later is whole')
    odd.end()
  })
}

t.test('a static program, with its symbols and stripped', async (t) => {
  const flags = ['-xnone', '-static']
  const whole = await target('arenas', '2', flags)
  t.same((await json(t, 'verify', whole)).differences, [])
  const trimmed = await json(t, 'trim', whole)
  t.ok(trimmed.process.returnedBytes > 4 << 20)
  whole.end()
  const stripped = await target('arenas', '2', [...flags, '-s'])
  await refuses(t, stripped, /cannot be called by name: .* has no symbol table; /)
  stripped.end()
})

t.test('refused: stopped, traced, a lock held, inside malloc', async (t) => {
  const some = await target('arenas', '2')
  process.kill(some.pid, 'SIGSTOP')
  await waitUntil('it stopped', () =>
    statusOfThreads(some.pid, 'State').every((state) => state.includes('T (')),
  )
  await refuses(t, some, /is stopped \(SIGSTOP, Ctrl-Z\); let it go on/)
  t.ok(
    statusOfThreads(some.pid, 'State').every((state) => state.includes('T (')),
    'and stays stopped',
  )
  process.kill(some.pid, 'SIGCONT')
  const tracer = spawn('gdb', ['-nx', '-q', '-p', String(some.pid)], { stdio: ['pipe', 'ignore', 'ignore'] })
  await waitUntil('gdb has it', () =>
    statusOfThreads(some.pid, 'TracerPid').every((one) => !one.endsWith(' 0')),
  )
  await refuses(t, some, /is traced by \d+ \(gdb\) already; end that debugger/)
  tracer.stdin.end('detach\nquit\n')
  await new Promise((resolve) => tracer.once('exit', resolve))
  await json(t, 'stats', some)
  some.end()
  const unsorted = layoutOfVersion(own, 8).arena.bins - 16
  const locked = await target('locked', String(unsorted))
  await refuses(
    t,
    locked,
    /nothing was called .* holds the lock of arena 0, tried \d+ times; /,
    'stats',
    'trim',
  )
  process.kill(locked.pid, 'SIGUSR1')
  t.same((await json(t, 'verify', locked)).differences, [], 'let go, it can be asked')
  locked.end()
  const inside = await target('inside')
  await refuses(t, inside, /nothing was called .* inside malloc.*takes no locks/, 'trim', 'stats')
  process.kill(inside.pid, 'SIGUSR1')
  await waitUntil('it sleeps', () => statusOfThreads(inside.pid, 'State')[0]!.includes('S ('))
  await json(t, 'trim', inside)
  inside.end()
})

t.test('refused by what /proc tells', async (t) => {
  const task: TaskStatus = {
    tid: 7,
    name: 'a',
    state: 'S',
    tracer: 0,
    seccomp: 0,
    seccompFilters: 0,
    shadowStack: false,
  }
  const code = (more: Partial<TaskStatus>, inherited = 0, force = false) =>
    refusalOf(7, [task, { ...task, ...more }], inherited, force)?.code ?? null
  t.equal(code({}), null)
  t.equal(refusalOf(7, [], 0, false)?.code, 'gone')
  t.equal(code({ state: 'D' }), 'uninterruptible')
  t.equal(code({ seccomp: 1 }), 'seccomp-strict')
  t.equal(code({ seccomp: 1 }, 0, true), 'seccomp-strict', 'nothing forces that')
  t.equal(code({ seccomp: 2, seccompFilters: 1 }), 'seccomp-filter')
  t.equal(code({ seccomp: 2, seccompFilters: 1 }, 1), null, "its container's")
  t.equal(code({ seccomp: 2, seccompFilters: 2 }, 1), 'seccomp-filter')
  t.equal(code({ seccomp: 2, seccompFilters: null }), 'seccomp-filter', 'an old kernel does not count')
  t.equal(code({ seccomp: 2, seccompFilters: 2 }, 1, true), null)
  const text = readFileSync('/proc/self/status', 'utf8')
  t.match(parseTaskStatus(process.pid, text), { tid: process.pid, tracer: 0, state: /^[RS]$/ })
})

// No libc at all: waits in pause().
const BARE =
  'void _start(void) { for (;;) { long n = 34; __asm__ volatile("syscall" : "+a"(n) : : "rcx", "r11", "memory"); } }'

t.test('refused: no glibc, nobody to ask, no gdb', async (t) => {
  const bare = spawn(compile(BARE, ['-nostdlib', '-static']), { stdio: 'ignore' })
  endWithUs(bare)
  await refuses(
    t,
    { pid: bare.pid!, page: '', errors: '', end: () => {} },
    /no glibc malloc was found here.*; /,
  )
  bare.kill('SIGKILL')
  const some = await target('single')
  for (const command of ['stats', 'verify', 'trim', 'limit']) {
    const asked = await run(command, some, ...(command === 'limit' ? ['--arena-max', '2'] : []))
    t.equal(asked.code, 2, `${command} without a terminal or --yes`)
    t.match(asked.stderr, /no terminal to ask on; agree with --yes/)
  }
  t.equal((await arenaInspect(['trim', '--yes'])).code, 2, 'no --pid')
  t.equal((await run('limit', some, '--arena-max', '0', '--yes')).code, 2)
  const noGdb = await run('trim', some, '--yes', '--gdb', '/nonexistent/gdb')
  t.equal(noGdb.code, 1)
  t.match(noGdb.stderr, /nothing was called: \/nonexistent\/gdb: not found; install gdb or python3/)
  some.end()
})

t.test('interrupted: everything is put back, and the exit code says so', async (t) => {
  const many = await target('churn', '2')
  const fds = descriptors(many.pid)
  const tool = spawn(
    '/usr/bin/env',
    ['-u', 'NODE_OPTIONS', process.execPath, 'dist/cli.js', 'verify', '--yes', '--pid', String(many.pid)],
    { stdio: 'ignore' },
  )
  const ended = new Promise((resolve) => tool.once('exit', (code) => resolve(code)))
  await waitUntil('attached', () => statusOfThreads(many.pid, 'TracerPid').some((one) => !one.endsWith(' 0')))
  tool.kill('SIGINT')
  const code = await ended
  t.ok(code === 130 || code === 0, `exit code ${code}`)
  await waitUntil('let go', () => statusOfThreads(many.pid, 'TracerPid').every((one) => one.endsWith(' 0')))
  const { beats } = controlPage(many.page)
  await waitUntil('it goes on', () => controlPage(many.page).beats > beats + 20)
  t.equal(controlPage(many.page).damage, 0)
  t.same(descriptors(many.pid), fds)
  many.end()
})
