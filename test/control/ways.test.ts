// How calls are made: by our own ptrace in gdb's Python or in python3, by gdb; on which threads, and on which not.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseTaskStatus, refusalOf } from '../../src/control/guard.js'
import { predictTrim, trim } from '../../src/control/trim.js'
import { verify } from '../../src/control/verify.js'
import { arenaInspect } from '../support/command.js'
import { openControlled, statusOfThreads } from '../support/control-page.js'
import { compile, ROOT, type Running, scratch, start } from '../support/programs.js'

async function odd(t: Test, ...args: string[]): Promise<Running> {
  const running = await start(compile('test/programs/odd-stands.c'), args)
  t.teardown(() => running.kill())
  return running
}

const run = (command: string, { pid }: Running, ...more: string[]) =>
  arenaInspect([command, '--pid', String(pid), '--yes', '--json', '--wait', '1', ...more])

async function works(t: Test, running: Running, command: string, ...more: string[]) {
  const ended = await run(command, running, ...more)
  t.equal(ended.code, 0, `${command}: ${ended.stderr.trim()}`)
  return JSON.parse(ended.stdout || '{}')
}

async function refuses(t: Test, running: Running, command: string, why: RegExp) {
  const ended = await run(command, running)
  t.equal(ended.code, 1, command)
  t.match(ended.stderr.trim().split('\n').at(-1), why)
  t.equal(ended.stdout, '')
}

const NO_STACK = /no thread stands on a stack of its own with room for a call, tried \d+ times; /

for (const mode of [['deep'], ['altstack'], ['small', '16384']]) {
  t.test(`no stack to call on: ${mode.join(' ')}`, async (t) => {
    const running = await odd(t, ...mode)
    for (const command of ['trim', 'stats']) await refuses(t, running, command, NO_STACK)
    running.child.kill('SIGUSR1')
    // Out of it, it can be asked.
    let visit: unknown = null
    for (let tries = 0; visit === null && tries < 20; tries++) {
      const ended = await run('stats', running)
      if (ended.code === 0) ({ visit } = JSON.parse(ended.stdout))
    }
    t.match(visit, { way: 'ptrace', wayReason: null })
  })
}

t.test('a small stack beside one that is used up', async (t) => {
  const running = await odd(t, 'small', String(256 << 10))
  for (const command of ['trim', 'stats', 'verify']) {
    const { visit } = await works(t, running, command)
    t.not(visit.thread, running.pid, 'the other thread makes the calls')
  }
})

t.test('a seccomp filter of its own: refused, and with --force it lives', async (t) => {
  const running = await odd(t, 'filter')
  await refuses(t, running, 'stats', /has a seccomp filter of its own, .*rt_sigreturn.*; .*--force/)
  for (const command of ['stats', 'trim', 'verify']) await works(t, running, command, '--force')
  t.ok(isAlive(running.pid), 'nothing was called that its filter kills for')
})

function isAlive(pid: number): boolean {
  return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

t.test('a lock of stderr that is held: malloc_info alone', async (t) => {
  const running = await odd(t, 'printing')
  const held = await works(t, running, 'stats')
  t.equal(held.mallocStats, null)
  t.equal(held.mallocStatsProblem, 'a thread that is printing holds the lock of stderr')
  t.match(held.mallocInfo.xml, /^<malloc version="1">[\s\S]*<\/malloc>\n$/)
  running.child.kill('SIGUSR1')
  await new Promise((resolve) => setTimeout(resolve, 200))
  const free = await works(t, running, 'stats')
  t.equal(free.mallocStatsProblem, null)
  t.equal(free.mallocStats.totalInUseBytes, free.trueTotals.inUseBytes)
})

t.test('the signal that tells of the end reaches nobody', async (t) => {
  const running = await odd(t, 'late')
  for (const command of ['stats', 'trim', 'verify']) await works(t, running, command)
  running.child.kill('SIGUSR1')
  const told = new Promise<string>((resolve) =>
    running.child.stdout!.once('data', (data) => resolve(String(data))),
  )
  await new Promise((resolve) => setTimeout(resolve, 100))
  running.child.kill('SIGUSR1')
  t.equal((await told).trim(), '0', 'it catches SIGURG and SIGWINCH, and saw none')
})

for (const [mode, signal] of [
  ['fault', 11],
  ['abort', 6],
] as const) {
  t.test(`a call that ends in signal ${signal} is broken off`, async (t) => {
    const running = await odd(t, mode)
    const why = new RegExp(
      `a call was broken off in process ${running.pid}: malloc_trim ended in signal ${signal}: the heap is damaged`,
    )
    await refuses(t, running, 'trim', why)
    if (mode === 'fault') await refuses(t, running, 'stats', /broken off .*: malloc_stats ended in signal 11/)
    t.same(
      statusOfThreads(running.pid, 'SigBlk').filter((mask) => !mask.endsWith(' 0000000000000000')),
      [],
    )
    const told = new Promise<string>((resolve) =>
      running.child.stdout!.once('data', (data) => resolve(String(data))),
    )
    running.child.kill('SIGUSR1')
    t.equal((await told).trim(), 'allocates 1', 'mended, it lives, and neither malloc nor stderr is locked')
  })
}

t.test('shadow stacks are refused by name', async (t) => {
  const status = readFileSync('/proc/self/status', 'utf8')
  const with_ = status.replace(/^x86_Thread_features:.*$/m, '').concat('x86_Thread_features:\tshstk wrss \n')
  t.equal(parseTaskStatus(7, status.replace(/^x86_Thread_features:.*$/m, '')).shadowStack, false)
  const task = { ...parseTaskStatus(7, with_), state: 'S', tracer: 0 }
  t.equal(task.shadowStack, true)
  const refusal = refusalOf(7, [task], task.seccompFilters ?? 0, true)
  t.equal(refusal?.code, 'shadow-stack', 'nothing forces that')
  t.match(refusal!.message, /process 7 has shadow stacks \(CET\): the processor would end it/)
})

/** A folder for PATH in which there is nothing but these. */
function pathWith(...names: string[]): string {
  const folder = join(scratch(), 'bin')
  mkdirSync(folder)
  for (const name of names)
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(folder, name))
  return folder
}

t.test('without gdb: in python3; without either it says what to install', async (t) => {
  const running = await odd(t, 'late')
  // As a distribution has it, not a version manager's.
  const python = join(scratch(), 'python')
  mkdirSync(python)
  symlinkSync('/usr/bin/python3', join(python, 'python3'))
  const path = `${pathWith('node')}:${python}`
  for (const command of ['stats', 'verify', 'trim']) {
    const ended = await arenaInspect([command, '--pid', String(running.pid), '--yes', '--json'], {
      env: { PATH: path },
    })
    t.equal(ended.code, 0, ended.stderr)
    t.equal(JSON.parse(ended.stdout).visit.way, 'ptrace')
  }
  const stopped = await arenaInspect(['report', '--pid', String(running.pid), '--stop', '--json'], {
    env: { PATH: path },
  })
  t.equal(stopped.code, 0)
  t.ok(JSON.parse(stopped.stdout).target.stop.stoodStillMs > 0, '--stop too')
  const bare = { env: { PATH: pathWith('node') } }
  const neither = await arenaInspect(['trim', '--pid', String(running.pid), '--yes'], bare)
  t.equal(neither.code, 1)
  t.match(
    neither.stderr.trim().split('\n').at(-1),
    /nothing was called: neither gdb's Python \(gdb: not found\) nor python3 \(python3: not found\) runs our script; install gdb or python3/,
  )
})

t.test("gdb's own call, where gdb can", async (t) => {
  const running = await start(compile('test/programs/control-target.c'), [
    'arenas',
    join(scratch(), 'page'),
    '3',
  ])
  t.teardown(() => running.kill())
  const probe = spawnSync('gdb', ['-nx', '-batch', '-p', String(running.pid), '-ex', 'call (int)getpid()'], {
    encoding: 'utf8',
  })
  if (probe.status !== 0)
    return void t.pass('gdb', { skip: `gdb cannot call here: ${probe.stderr.trim().split('\n').at(-1)}` })
  const opened = await openControlled(running.pid)
  t.teardown(() => opened.close())
  const { differences, glibcs } = await verify(opened, opened.symbols, { way: 'gdb' })
  t.same(differences, [])
  t.match(glibcs.visit, { way: 'gdb', wayReason: 'it was asked for' })
  t.equal(glibcs.statsProblem, null)
  const { process: whole } = await trim(opened, predictTrim(opened.malloc.model), { way: 'gdb' })
  t.equal(whole.returnedBytes, whole.predictedBytes)
})

t.test("what is missing in a process's code is said, and gdb is asked", async (t) => {
  // The script alone: a machine of which it knows nothing, and code without what it needs.
  const script = `
import sys
sys.path.insert(0, ${JSON.stringify(join(ROOT, 'gdb-scripts'))})
import arena_inspect_frames as f
for pieces in ([], [(0, b"\\x48\\xc7\\xc0\\x0f\\x00\\x00\\x00\\x0f\\x05")]):
    try:
        f.Gadgets(f.X86_64, pieces)
    except f.NoFrames as error:
        print(error)
`
  const said = execFileSync('python3', ['-B', '-c', script], { encoding: 'utf8' }).trim().split('\n')
  t.same(said, [
    'its code has no piece that could be used to return from a signal',
    'its code has no piece that could be used to take a word from the stack',
  ])
})
