// One visit to a live process: it is stopped, checked whether a call is safe at this moment, called into, put back, let go.
import type { MallocState } from '../malloc/read-heap-model.js'
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import type { Target } from '../target/target.js'
import { findCallable } from './callable-libc.js'
import { visitByGdb } from './gdb-way.js'
import { guard } from './guard.js'
import type { CallName, PauseName, Plan, ScriptAnswer, ScriptRefusal, VisitEvent } from './plan.js'
import { visitByPtrace } from './ptrace-way.js'
import { Refusal, type RefusalCode } from './refusal.js'

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
  /** `gdb`: by gdb's call although ours could. */
  readonly way?: Way
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

/** How a call is made: by our own ptrace, or by gdb. */
export type Way = 'ptrace' | 'gdb'

export type VisitDone = Extract<ScriptAnswer, { readonly refused?: undefined }> & {
  readonly way: Way
  /** Why it was gdb; null when it was not. */
  readonly wayReason: string | null
}

const RETRY_SECONDS = 10
const PAUSE_SECONDS = 60
/** What the script says where gdb may still be able to. */
const CANNOT_FRAME = 'cannot-frame'

/** Does `work` in the process. Throws Refusal when it was not done, TargetError, MiError for gdb's own failures. */
export async function visit(
  controlled: ControlledTarget,
  work: VisitWork,
  options: VisitOptions = {},
): Promise<VisitDone> {
  const pid = controlled.target.pid!
  const callable = checkedTarget(controlled)
  await guard(pid, options.force === true)
  const plan = planOf(controlled, callable, work, options)
  const onEvent = async (event: VisitEvent) => {
    options.onEvent?.(event)
    if (event.event === 'pause') await work.look?.(event.name)
    return !options.signal?.aborted
  }
  const say = (how: string) => options.gdb?.transcript?.('from-script', `the calls are made by ${how}`)
  let wayReason = 'it was asked for'
  if (options.way !== 'gdb') {
    say('our own ptrace')
    const ours = await visitByPtrace(plan, onEvent, options.gdb, options.signal)
    if (!ours.refused) return { ...ours, way: 'ptrace', wayReason: null }
    if (ours.refused.code !== CANNOT_FRAME) throw refusal(pid, ours.refused, ours.tries)
    wayReason = ours.refused.why
  }
  say(`gdb: ${wayReason}`)
  const gdbs = await visitByGdb(plan, onEvent, options.gdb, options.signal)
  if (gdbs.refused) throw refusal(pid, gdbs.refused, gdbs.tries)
  return { ...gdbs, way: 'gdb', wayReason }
}

/** Only what is checked before anything is stopped; throws Refusal. */
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
      `the process runs ${target.machine} code, this machine ${process.arch}`,
      'arena-inspect report reads it without a call',
    )
  }
  return findCallable(target)
}

function planOf(
  { target, malloc }: ControlledTarget,
  callable: ReturnType<typeof findCallable>,
  work: VisitWork,
  options: VisitOptions,
): Plan {
  const { glibc } = malloc.model
  return {
    pid: target.pid!,
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
    retrySeconds: options.retrySeconds ?? RETRY_SECONDS,
    pauseSeconds: PAUSE_SECONDS,
    ...(work.mallopt ? { mallopt: work.mallopt } : {}),
    ...(work.write ? { write: work.write } : {}),
  }
}

const HINTS: Readonly<Record<string, string>> = {
  'arena-locked':
    'a thread that is stopped or waits there keeps it: see `arena-inspect threads`, or try again later',
  'in-malloc': 'try again when the program is less busy',
  'no-stack':
    'a thread deep in its stack may come out of it: try again; a program that runs on stacks of its own cannot be called into',
  'ring-broken': 'arena-inspect report shows the damage',
  aborted: 'everything has been put back; the process runs on',
  gone: 'look for its successor with `pgrep -a NAME`',
  'not-traceable': 'see TracerPid in /proc/PID/status and /proc/sys/kernel/yama/ptrace_scope',
  uninterruptible: 'try again when that is over: `ps -o stat,wchan` shows it',
  broken: 'arena-inspect report shows the damage; the process may end by it at any malloc or free',
  'no-memory': 'see its limits in /proc/PID/limits',
}

const CODES = new Set<string>([
  'arena-locked',
  'in-malloc',
  'no-stack',
  'aborted',
  'gone',
  'not-traceable',
  'uninterruptible',
  'broken',
])

/** The script's refusal as ours. */
export function refusal(pid: number, { code, why }: ScriptRefusal, tries = 1): Refusal {
  const times = tries > 1 ? `, tried ${tries} times` : ''
  const known = CODES.has(code) ? (code as RefusalCode) : 'other'
  const hint = HINTS[code] ?? 'nothing was left changed in the process'
  const what = code === 'broken' ? 'a call was broken off' : 'nothing was called'
  return new Refusal(known, `${what} in process ${pid}: ${why}${times}`, hint)
}
