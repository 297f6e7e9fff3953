// One visit to a live process: gdb attaches, checks that a call is safe at this moment, calls, puts back, detaches.
import { writeFileSync } from 'node:fs'
import type { MallocState } from '../malloc/read-heap-model.js'
import { listFeatures } from '../mi/commands.js'
import { GdbSession } from '../mi/gdb-session.js'
import { MiError } from '../mi/mi-error.js'
import { cliQuote } from '../mi/quote.js'
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import { scriptPath } from '../target/gdb/script-path.js'
import type { Target } from '../target/target.js'
import { findCallable } from './callable-libc.js'
import { guard } from './guard.js'
import type { CallName, PauseName, Plan, ScriptAnswer, ScriptRefusal, VisitEvent } from './plan.js'
import { Refusal, type RefusalCode } from './refusal.js'
import { Rendezvous } from './rendezvous.js'

/** A live process whose malloc was read. */
export interface ControlledTarget {
  readonly target: Target
  readonly malloc: MallocState
}

export interface VisitOptions {
  readonly gdb?: GdbOptions
  /** Calls although the process has a seccomp filter of its own. */
  readonly force?: boolean
  /** Aborted: nothing more is begun, everything is put back, and the visit rejects with a Refusal `aborted`. */
  readonly signal?: AbortSignal
  /** Told what happens, e.g. that a lock is held and another moment is waited for. */
  readonly onEvent?: (event: VisitEvent) => void
  /** How long another moment is waited for when a lock is held. */
  readonly retrySeconds?: number
}

/** What is done in the visit. */
export interface VisitWork {
  readonly calls: readonly CallName[]
  readonly mallopt?: readonly [number, number]
  readonly write?: readonly [number, number]
  /** Looks at the process while it stands, before and after the calls. It stands as long as this takes. */
  readonly look?: (when: PauseName) => Promise<void>
  readonly looks?: readonly PauseName[]
}

export type VisitDone = Extract<ScriptAnswer, { readonly refused?: undefined }>

const SCRIPTS = ['arena_inspect_guards.py', 'arena_inspect_control.py'] as const
const RETRY_SECONDS = 10
const PAUSE_SECONDS = 60
/** A call that has not come back by then is no longer waited for; gdb still waits. */
const ANSWER_MS = 15 * 60_000

/** Does `work` in the process. Throws Refusal when it was not done, MiError for gdb's own failures. */
export async function visit(
  controlled: ControlledTarget,
  work: VisitWork,
  options: VisitOptions = {},
): Promise<VisitDone> {
  const pid = controlled.target.pid!
  const callable = checkedTarget(controlled)
  await guard(pid, options.force === true)
  const scripts = SCRIPTS.map((name) => scriptPath(name)).filter((path) => path !== null)
  if (scripts.length < SCRIPTS.length) {
    throw new Refusal('other', 'gdb-scripts of this package are missing', 'install it again')
  }
  const line = await Rendezvous.open(async (event) => {
    options.onEvent?.(event)
    if (event.event === 'pause') await work.look?.(event.name)
    return !options.signal?.aborted
  })
  const onAbort = () => line.hangUp()
  options.signal?.addEventListener('abort', onAbort)
  try {
    const plan: Plan = {
      ...planOf(controlled, callable, line.socketPath, work),
      retrySeconds: options.retrySeconds ?? RETRY_SECONDS,
      pauseSeconds: PAUSE_SECONDS,
    }
    writeFileSync(line.planPath, JSON.stringify(plan), { mode: 0o600 })
    const answer = await run(scripts, line, pid, options)
    if (line.error) throw line.error
    if (answer.refused) throw refusal(pid, answer.refused, answer.tries)
    return answer
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
    line.close()
  }
}

/** Only what is checked before gdb is started; throws Refusal. */
export async function precheck(controlled: ControlledTarget, force: boolean): Promise<void> {
  checkedTarget(controlled)
  await guard(controlled.target.pid!, force)
}

function checkedTarget({ target }: ControlledTarget) {
  if (target.kind !== 'live' || target.pid === null)
    throw new Refusal('other', 'only a live process can be called into', 'use --pid')
  const own = { x64: ['x86_64', 'i386'], arm64: ['aarch64'] }[process.arch as string] ?? []
  if (!own.includes(target.machine)) {
    throw new Refusal(
      'architecture',
      `the process runs ${target.machine} code, this machine ${process.arch}: gdb cannot call into it`,
      'arena-inspect report reads it without a call',
    )
  }
  return findCallable(target)
}

function planOf(
  { target, malloc }: ControlledTarget,
  callable: ReturnType<typeof findCallable>,
  socket: string,
  work: VisitWork,
) {
  const { glibc } = malloc.model
  return {
    pid: target.pid!,
    socket,
    wordBytes: target.wordBytes,
    functions: Object.fromEntries(Object.entries(callable.functions).map(([name, at]) => [name, Number(at)])),
    mallocText: [Number(callable.mallocText[0]), Number(callable.mallocText[1])] as const,
    singleThreaded: callable.singleThreaded === null ? null : Number(callable.singleThreaded),
    stderrVariable: Number(callable.stderrVariable),
    fileJumps: callable.fileJumps === null ? null : Number(callable.fileJumps),
    mainArena: Number(glibc.mainArena),
    nextOffset: malloc.layout.arena.next,
    modules: target
      .modules()
      .flatMap(({ file, loadBias }) =>
        file === null || loadBias === null || /["\\\n]/.test(file) ? [] : [{ file, bias: Number(loadBias) }],
      ),
    calls: work.calls,
    pauses: work.looks ?? [],
    ...(work.mallopt ? { mallopt: work.mallopt } : {}),
    ...(work.write ? { write: work.write } : {}),
  }
}

async function run(
  scripts: readonly string[],
  line: Rendezvous,
  pid: number,
  options: VisitOptions,
): Promise<ScriptAnswer> {
  const gdb = await GdbSession.start({
    ...options.gdb,
    spared: true,
    // Without this gdb reads the program's symbols while the process stands still.
    args: ['-iex', `exec-file ${cliQuote(`/proc/${pid}/exe`)}`, ...scripts.flatMap((path) => ['-x', path])],
  })
  try {
    if (!(await listFeatures(gdb)).includes('python')) {
      throw new Refusal(
        'no-python',
        'this gdb has no Python, without which nothing would put the process right should arena-inspect be killed',
        'use another gdb with --gdb PATH',
      )
    }
    // gdb answers this command too early when it attaches twice; it fails it when the script itself fails.
    const command = gdb.console(`arena-inspect-control ${line.planPath}`, { timeoutMs: ANSWER_MS })
    const answer = await inTime(Promise.race([line.answered, command.then(() => line.answered)]))
    if (answer === 'late') throw lateRefusal(pid, gdb.pid)
    command.catch(() => {})
    // When the script itself failed, gdb tells how.
    if (answer === null) await command
    if (answer === null) throw new MiError('died', '', 'gdb ended before it had put the process right')
    return answer
  } finally {
    await gdb.close()
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ANSWER_MS - 1000)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

function lateRefusal(pid: number, gdbPid: number): Refusal {
  return new Refusal(
    'other',
    `the call has not come back after ${ANSWER_MS / 60_000} minutes; gdb (${gdbPid}) still waits for it, and will put everything back and let go`,
    `do not kill that gdb: process ${pid} would die with it`,
  )
}

const HINTS: Readonly<Record<string, string>> = {
  'arena-locked':
    'a thread that is stopped or waits there keeps it: see `arena-inspect threads`, or try again later',
  'in-malloc': 'try again when the program is less busy',
  'no-stack': 'a program that runs on stacks of its own cannot be called into',
  'ring-broken': 'arena-inspect report shows the damage',
  aborted: 'everything has been put back; the process runs on',
  gone: 'look for its successor with `pgrep -a NAME`',
  'no-memory': 'see its limits in /proc/PID/limits',
}

const CODES = new Set<string>(['arena-locked', 'in-malloc', 'no-stack', 'aborted', 'gone'])

/** The script's refusal as ours. */
export function refusal(pid: number, { code, why }: ScriptRefusal, tries = 1): Refusal {
  const times = tries > 1 ? `, tried ${tries} times` : ''
  const known = CODES.has(code) ? (code as RefusalCode) : 'other'
  const hint = HINTS[code] ?? 'nothing was left changed in the process'
  return new Refusal(known, `nothing was called in process ${pid}: ${why}${times}`, hint)
}
