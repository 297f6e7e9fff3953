// Calls into a process whose threads allocate without pause, and our own death at any moment: it lives, and is right.
import { spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { glibcFigures } from '../../src/control/glibc-figures.js'
import { limit, readLimitState } from '../../src/control/limit.js'
import { Refusal } from '../../src/control/refusal.js'
import { predictTrim, trim } from '../../src/control/trim.js'
import { verify } from '../../src/control/verify.js'
import { arenaInspect } from '../support/command.js'
import {
  type ControlPage,
  controlPage,
  descriptors,
  type Opened,
  openControlled,
  statusOfThreads,
  tracerOf,
} from '../support/control-page.js'
import { endWithUs } from '../support/end-with-us.js'
import { compile, ROOT, scratch } from '../support/programs.js'
import { waitUntil } from '../support/wait-until.js'

// 200 of each prove it; so few are for every day.
const ROUNDS = Number(process.env.ARENA_INSPECT_SAFETY_ROUNDS ?? 16)
const THREADS = 4
t.setTimeout(60_000 + ROUNDS * 12_000)

interface Churning {
  readonly pid: number
  readonly page: () => ControlPage
  /** Lines of stderr that came, all in order: throws where one is missing or strange. */
  readonly lines: () => number
  readonly end: () => void
}

async function churning(): Promise<Churning> {
  const folder = scratch()
  const [errors, file] = [join(folder, 'stderr'), join(folder, 'page')]
  const program = compile('test/programs/control-target.c')
  const stderr = openSync(errors, 'a')
  const child = spawn('nice', ['-n', '10', program, 'churn', file, String(THREADS)], {
    stdio: ['ignore', 'pipe', stderr],
  })
  endWithUs(child)
  await new Promise((resolve) => child.stdout!.once('data', resolve))
  const lines = () => {
    const all = readFileSync(errors, 'utf8').split('\n').slice(0, -1)
    const wrong = all.findIndex((line, index) => line !== `line ${index}`)
    if (wrong >= 0) throw new Error(`stderr has ${JSON.stringify(all[wrong])} as line ${wrong}`)
    return all.length
  }
  return { pid: child.pid!, page: () => controlPage(file), lines, end: () => child.kill('SIGKILL') }
}

/** The heart beats, blocks are whole, stderr gets its lines, and no signal is lost. */
async function stillRight(target: Churning, name: string): Promise<string[]> {
  const before = target.page()
  const linesBefore = target.lines()
  await waitUntil(`${name}: it goes on`, () => {
    const now = target.page()
    return now.beats > before.beats + 20 && now.operations > before.operations
  })
  await waitUntil(`${name}: stderr goes on`, () => target.lines() > linesBefore)
  const wrong: string[] = []
  if (target.page().damage !== 0) wrong.push(`${name}: ${target.page().damage} bytes of its blocks changed`)
  await waitUntil(`${name}: every signal came`, () => target.page().received >= target.page().sent - 1)
  return wrong
}

t.test(`${ROUNDS} rounds of trim, limit, stats and verify`, async (t) => {
  const target = await churning()
  t.teardown(target.end)
  const fds = descriptors(target.pid)
  const opened = await openControlled(target.pid)
  const counts = { done: 0, refused: 0, stoppedMs: 0, mostMs: 0, callMs: 0, tries: 0 }
  const wrong: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const visit = await doRound(opened, round, wrong)
      counts.done++
      counts.stoppedMs += visit.stoppedMs
      counts.mostMs = Math.max(counts.mostMs, visit.stoppedMs)
      counts.callMs += visit.callMs
      counts.tries += visit.tries
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'arena-locked') throw error
      counts.refused++
    }
    wrong.push(...(await stillRight(target, `round ${round}`)))
  }
  t.comment(JSON.stringify(counts))
  t.same(wrong, [], 'it is right after each round, and every number equals')
  t.equal(counts.done + counts.refused, ROUNDS)
  t.ok(counts.done >= ROUNDS * 0.9, 'a lock that is held is a matter of another moment')
  t.same(descriptors(target.pid), fds, 'its file descriptors are as before')
  await waitUntil('signal masks are as before', () => !blocksSignals(target.pid))
  await opened.close()
})

async function doRound(process: Opened, round: number, wrong: string[]) {
  switch (round % 4) {
    case 0:
      return (await trim(process, predictTrim(process.malloc.model))).visit
    case 1: {
      const state = await readLimitState(process)
      const outcome = await limit(process, { ...state, way: 'mallopt' }, 64)
      if (outcome.arenaMax !== 64) wrong.push(`round ${round}: arena_max is ${outcome.arenaMax}`)
      return outcome.visit
    }
    case 2: {
      const figures = await glibcFigures(process)
      if (!figures.stats) wrong.push(`round ${round}: ${figures.statsProblem}`)
      return figures.visit
    }
    default: {
      const { differences, glibcs } = await verify(process, process.symbols)
      for (const difference of differences) wrong.push(`round ${round}: ${JSON.stringify(difference)}`)
      return glibcs.visit
    }
  }
}

// A thread that is just in its handler blocks that signal, so this is waited for.
function blocksSignals(pid: number): boolean {
  return statusOfThreads(pid, 'SigBlk').some((mask) => !mask.endsWith(' 0000000000000000'))
}

const CLI = join(ROOT, 'dist/cli.js')
const COMMANDS = [['stats'], ['trim'], ['verify'], ['limit', '--arena-max', '64']]

t.test(`${ROUNDS} times killed at any moment`, async (t) => {
  if (!existsSync(CLI)) await arenaInspect(['--version'])
  const target = await churning()
  t.teardown(target.end)
  const fds = descriptors(target.pid)
  const seen = { before: 0, attached: 0, after: 0 }
  const wrong: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    seen[await killOnce(t, target.pid, round)]++
    wrong.push(...(await stillRight(target, `kill ${round}`)))
    await waitUntil(`kill ${round}: signal masks are as before`, () => !blocksSignals(target.pid))
  }
  t.comment(`killed ${JSON.stringify(seen)}`)
  t.same(wrong, [], 'it is right after each')
  t.ok(seen.attached > 0, 'some hit the very moment')
  t.same(descriptors(target.pid), fds, 'its file descriptors are as before')
  const figures = await arenaInspect(['stats', '--yes', '--json', '--pid', String(target.pid)])
  t.equal(figures.code, 0, `and it can still be asked${figures.stderr}`)
  t.ok(JSON.parse(figures.stdout).mallocStats)
})

/** Runs the command and kills it with SIGKILL; tells whether gdb was in the process then. */
async function killOnce(t: Test, pid: number, round: number): Promise<'before' | 'attached' | 'after'> {
  const args = [...COMMANDS[round % COMMANDS.length]!, '--yes', '--pid', String(pid)]
  const env = { ...process.env, NODE_OPTIONS: '' }
  const tool = spawn(process.execPath, [CLI, ...args], { stdio: 'ignore', env })
  const ended = new Promise<void>((resolve) => tool.once('exit', () => resolve()))
  let attached = false
  let over = false
  void ended.then(() => {
    over = true
  })
  // Two of three are aimed at the visit itself, which is short; the third comes at any time of the whole run.
  const start = performance.now()
  const atMs = Math.random() * 1200
  while (!over && (round % 3 === 0 ? performance.now() - start < atMs : tracerOf(pid) === 0)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (round % 3 !== 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 30))
  attached = tracerOf(pid) !== 0
  const wasOver = over
  tool.kill('SIGKILL')
  await ended
  await waitUntil('gdb has let it go', () => tracerOf(pid) === 0)
  t.comment(`round ${round}: ${attached ? 'attached' : wasOver ? 'after' : 'before'}`)
  return attached ? 'attached' : wasOver ? 'after' : 'before'
}
