// Visits to a program that notices if anything of its threads is lost: as they should go, and killed at any moment.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { CallName } from '../../src/control/plan.js'
import { Refusal } from '../../src/control/refusal.js'
import { verify } from '../../src/control/verify.js'
import { visit } from '../../src/control/visit.js'
import { buildOf, compileFor, fetchedSuites } from '../matrix/glibcs.js'
import { arenaInspect } from '../support/command.js'
import { openControlled, tracerOf } from '../support/control-page.js'
import { goesOn, type Keeper, KINDS, type Kind, lost, startKeeper } from '../support/keeper.js'
import { compile, ROOT } from '../support/programs.js'
import { randomFrom } from '../support/random.js'
import { waitUntil } from '../support/wait-until.js'

// 1000 kills prove it; so few are for every day.
const KILLS = Number(process.env.ARENA_INSPECT_KILLS ?? 42)
const SEED = Number(process.env.SEED ?? 20261201)
const COMPUTING = ['general', 'xmm', 'ymm', 'zmm', 'x87', 'tile'] as const

/** Programs in which every kind of thread comes to make the calls: the only one, or beside one that sleeps. */
const PROGRAMS: readonly (readonly string[])[] = [
  [],
  ...COMPUTING.map((kind) => [kind]),
  ...['general', 'sleep', 'poll', 'futex', 'select'].map((kind) => ['alone', kind]),
  ['read'],
  ['epoll'],
  ['sigsuspend'],
]
/** The same program for 32 bits, and linked statically. */
const OTHER_BUILDS: readonly (readonly [name: string, wanted: readonly string[]])[] = [
  ['i386', []],
  ...['general', 'xmm', 'x87'].map((kind) => ['i386', [kind]] as const),
  ...['general', 'poll'].map((kind) => ['i386', ['alone', kind]] as const),
  ['static', []],
]

async function builtFor(name: string): Promise<string | null> {
  if (name === 'static') return compile('test/programs/keeper.c', ['-xnone', '-static'])
  const build = buildOf(await fetchedSuites(), '2.36', 'i386')
  return typeof build === 'string' ? null : compileFor(build, 'test/programs/keeper.c')
}

const nameOf = (wanted: readonly string[]) => wanted.join(' ') || 'all kinds'

t.test('the keeper notices a single bit', async (t) => {
  const keeper = await startKeeper([...COMPUTING])
  t.teardown(keeper.end)
  const tids = readdirSync(`/proc/${keeper.pid}/task`)
    .map(Number)
    .sort((a, b) => a - b)
  const kinds = keeper.kinds().filter((kind) => kind !== 'main')
  for (const [index, kind] of kinds.entries()) {
    // Threads were made in this order: the first, the feeder, then the kinds.
    const tid = String(tids[index + 2])
    const spoil = () =>
      execFileSync('python3', [
        join(ROOT, 'test/support/spoil_register.py'),
        join(ROOT, 'gdb-scripts'),
        tid,
        kind,
      ])
    // It may be between two stretches just then.
    for (let tries = 0; keeper.page().wrong[kind] === 0 && tries < 20; tries++) {
      spoil()
      await goesOn(keeper)
    }
    t.ok(keeper.page().wrong[kind] > 0, kind)
  }
  t.ok(kinds.length >= 3, `here: ${kinds.join()}`)
})

t.test('visits that nobody disturbs', async (t) => {
  for (const wanted of PROGRAMS) {
    await t.test(nameOf(wanted), async (t) => {
      const keeper = await startKeeper(wanted)
      t.teardown(keeper.end)
      if (!wanted.every((kind) => kind === 'alone' || keeper.kinds().includes(kind as Kind)))
        return void t.pass(nameOf(wanted), { skip: `this processor has no ${wanted.join()} registers` })
      const opened = await openControlled(keeper.pid)
      t.teardown(() => opened.close())
      const callers = new Set<number>()
      for (const calls of [['info'], ['stats', 'trim'], ['trim', 'info', 'stats', 'trim']] as CallName[][]) {
        const done = await visit(opened, { calls })
        t.equal(done.way, 'ptrace')
        t.same(done.errors, {})
        callers.add(done.thread)
        await goesOn(keeper)
      }
      const { differences, glibcs } = await verify(opened, opened.symbols)
      t.same(differences, [], 'every number is glibc’s')
      callers.add(glibcs.visit.thread)
      await goesOn(keeper)
      t.same(lost(keeper), [])
      t.same(waitsCut(keeper), {}, 'no wait ended early')
      if (COMPUTING.includes(wanted[0] as never))
        t.notOk(callers.has(keeper.pid), 'the computing thread made the calls')
    })
  }
})

t.test('in 32 bits and linked statically: undisturbed, then its script killed', async (t) => {
  for (const [build, wanted] of OTHER_BUILDS) {
    await t.test(`${build} ${nameOf(wanted)}`, async (t) => {
      const program = await builtFor(build)
      if (program === null) return void t.pass(build, { skip: 'glibc 2.36 for i386 could not be fetched' })
      const keeper = await startKeeper(wanted, program)
      t.teardown(keeper.end)
      const opened = await openControlled(keeper.pid)
      t.teardown(() => opened.close())
      const { differences, glibcs } = await verify(opened, opened.symbols)
      t.same(differences, [])
      t.equal(glibcs.statsProblem, null)
      t.equal((await visit(opened, { calls: ['trim', 'info', 'trim'] })).way, 'ptrace')
      await goesOn(keeper)
      t.same(waitsCut(keeper), {}, 'no wait ended early')
      const random = randomFrom(SEED)
      for (let kill = 0; kill < Math.max(2, KILLS / 20); kill++) {
        await killScript(opened, random)
        await goesOn(keeper)
      }
      t.same(lost(keeper), [])
      t.same((await verify(opened, opened.symbols)).differences, [], 'it can still be asked')
    })
  }
})

/** Waits that ended with EINTR, by kind. */
function waitsCut(keeper: Keeper): Partial<Record<Kind, number>> {
  const { eintr } = keeper.page()
  return Object.fromEntries(KINDS.filter((kind) => eintr[kind] > 0).map((kind) => [kind, eintr[kind]]))
}

const WHOM = ['script', 'tool', 'both'] as const
const CLI = join(ROOT, 'dist/cli.js')
const COMMANDS = [['stats'], ['trim'], ['verify'], ['limit', '--arena-max', '64']]

t.test(`${KILLS} kills at random moments: of the script, of the tool, of both`, async (t) => {
  t.comment(`SEED=${SEED}`)
  if (!existsSync(CLI)) await arenaInspect(['--version'])
  const random = randomFrom(SEED)
  const seen: Record<string, number> = {}
  const cut: Partial<Record<Kind, number>> = {}
  const wrong: string[] = []
  for (const [index, wanted] of PROGRAMS.entries()) {
    const keeper = await startKeeper(wanted)
    t.teardown(keeper.end)
    const opened = await openControlled(keeper.pid)
    t.teardown(() => opened.close())
    for (let kill = index; kill < KILLS; kill += PROGRAMS.length) {
      const whom = WHOM[Math.floor(kill / PROGRAMS.length) % WHOM.length]!
      const when =
        whom === 'script' ? await killScript(opened, random) : await killTool(keeper.pid, whom, random)
      seen[`${whom} ${when}`] = (seen[`${whom} ${when}`] ?? 0) + 1
      await waitUntil('it is let go', () => tracerOf(keeper.pid) === 0)
      await goesOn(keeper)
      wrong.push(...lost(keeper).map((what) => `${nameOf(wanted)}, kill ${kill} of ${whom}: ${what}`))
    }
    for (const [kind, count] of Object.entries(waitsCut(keeper)) as [Kind, number][])
      cut[kind] = (cut[kind] ?? 0) + count
    t.same((await verify(opened, opened.symbols)).differences, [], `${nameOf(wanted)} can still be asked`)
    keeper.end()
  }
  t.comment(`killed: ${JSON.stringify(seen)}`)
  t.comment(`waits that ended with EINTR: ${JSON.stringify(cut)}`)
  t.same(wrong, [], 'nothing is lost')
  t.ok((seen['script inside'] ?? 0) > 0, 'some hit the very moment')
})

/** A visit of many calls, whose script is killed in the midst; whether it was inside the process then. */
async function killScript(
  opened: Awaited<ReturnType<typeof openControlled>>,
  random: () => number,
): Promise<'inside' | 'after'> {
  const calls = Array.from({ length: 40 }, (_, n) => (['info', 'stats', 'trim'] as const)[n % 3]!)
  let over = false
  const visiting = visit(opened, { calls }).then(
    () => 'done',
    (error) => {
      if (!(error instanceof Refusal)) throw error
      return 'broken off'
    },
  )
  void visiting.finally(() => {
    over = true
  })
  const script = await tracerWithin(opened.target.pid!, () => over)
  await delay(random() * 25)
  if (script !== 0) end(script)
  return (await visiting) === 'done' ? 'after' : 'inside'
}

async function killTool(
  pid: number,
  whom: 'tool' | 'both',
  random: () => number,
): Promise<'inside' | 'after' | 'before'> {
  const args = [...COMMANDS[Math.floor(random() * COMMANDS.length)]!, '--yes', '--pid', String(pid)]
  const tool = spawn(process.execPath, [CLI, ...args], {
    stdio: 'ignore',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let over = false
  const ended = new Promise<void>((resolve) =>
    tool.once('exit', () => {
      over = true
      resolve()
    }),
  )
  // One of four comes at any time, the others while the process is visited.
  if (random() < 0.25) await delay(random() * 600)
  else {
    await tracerWithin(pid, () => over)
    await delay(random() * 8)
  }
  const script = tracerOf(pid)
  const when = script !== 0 ? 'inside' : over ? 'after' : 'before'
  tool.kill('SIGKILL')
  if (whom === 'both' && script !== 0) end(script)
  await ended
  return when
}

/** The process that traces it, once one does; 0 when `over` comes first. */
async function tracerWithin(pid: number, over: () => boolean): Promise<number> {
  for (;;) {
    const tracer = tracerOf(pid)
    if (tracer !== 0 || over()) return tracer
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
