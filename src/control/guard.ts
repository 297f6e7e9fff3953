// May anything be run inside this process at all? What /proc tells without touching it.
import { readdirSync, readlinkSync } from 'node:fs'
import { isNodeError } from '../target/elf/node-error.js'
import { readTextOrNull } from '../target/live/proc-file.js'
import { Refusal } from './refusal.js'

/** One thread's /proc/PID/task/TID/status, as far as it matters. */
export interface TaskStatus {
  readonly tid: number
  readonly name: string
  /** R, S, D, T, t, Z … */
  readonly state: string
  readonly tracer: number
  /** 0 none, 1 strict, 2 filter. */
  readonly seccomp: number
  /** Null before Linux 5.9. */
  readonly seccompFilters: number | null
  /** The processor checks its return addresses (CET). */
  readonly shadowStack: boolean
}

/** Parses the text of a status file. */
export function parseTaskStatus(tid: number, text: string): TaskStatus {
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1]
  const filters = field('Seccomp_filters')
  return {
    tid,
    name: field('Name') ?? '?',
    state: (field('State') ?? '?').slice(0, 1),
    tracer: Number(field('TracerPid') ?? 0),
    seccomp: Number(field('Seccomp') ?? 0),
    seccompFilters: filters === undefined ? null : Number(filters),
    shadowStack: /\bshstk\b/.test(field('x86_Thread_features') ?? ''),
  }
}

/** All threads now; those that end meanwhile are left out. */
export function taskStatuses(pid: number): TaskStatus[] {
  return tidsOf(pid).flatMap((tid) => {
    const text = readTextOrNull(`/proc/${pid}/task/${tid}/status`)
    return text === null ? [] : [parseTaskStatus(tid, text)]
  })
}

function tidsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch (error) {
    if (isNodeError(error)) return []
    throw error
  }
}

/**
 * The first reason why nothing may be run in a process whose threads are these; null when there is none.
 * `inherited`: filters that the first process of its PID namespace has too: a container's, which answer with an error
 * as a rule. One of the program's own may kill it for a system call that it does not expect.
 */
export function refusalOf(
  pid: number,
  tasks: readonly TaskStatus[],
  inherited: number,
  force: boolean,
): Refusal | null {
  if (tasks.length === 0) {
    return new Refusal('gone', `process ${pid} has ended`, 'look for its successor with `pgrep -a NAME`')
  }
  const traced = tasks.find(({ tracer }) => tracer !== 0)
  if (traced) {
    const tracer = readTextOrNull(`/proc/${traced.tracer}/comm`)?.trim() ?? 'unknown'
    return new Refusal(
      'traced',
      `process ${pid} is traced by ${traced.tracer} (${tracer}) already`,
      'end that debugger or strace first: a process has one tracer at a time',
    )
  }
  if (tasks.some(({ state }) => state === 'T' || state === 't')) {
    return new Refusal(
      'stopped',
      `process ${pid} is stopped (SIGSTOP, Ctrl-Z)`,
      `let it go on (\`kill -CONT ${pid}\`), then try again`,
    )
  }
  const waiting = tasks.find(({ state }) => state === 'D')
  if (waiting) {
    return new Refusal(
      'uninterruptible',
      `thread ${waiting.tid} of process ${pid} waits in the kernel and cannot be interrupted (disk, NFS, or vfork)`,
      'try again when that is over: `ps -o stat,wchan` shows it',
    )
  }
  if (tasks.some(({ shadowStack }) => shadowStack)) {
    return new Refusal(
      'shadow-stack',
      `process ${pid} has shadow stacks (CET): the processor would end it for a return that no call made`,
      'arena-inspect report reads it without a call; without GLIBC_TUNABLES=glibc.cpu.x86_shstk=on it can be called into',
    )
  }
  return seccompRefusal(pid, tasks, inherited, force)
}

function seccompRefusal(
  pid: number,
  tasks: readonly TaskStatus[],
  inherited: number,
  force: boolean,
): Refusal | null {
  if (tasks.some(({ seccomp }) => seccomp === 1)) {
    return new Refusal(
      'seccomp-strict',
      `process ${pid} runs under strict seccomp: any system call of ours would kill it`,
      'arena-inspect report reads it without a call',
    )
  }
  const own = tasks.some(({ seccomp, seccompFilters }) => seccomp === 2 && (seccompFilters ?? 1) > inherited)
  if (!own || force) return null
  return new Refusal(
    'seccomp-filter',
    `process ${pid} has a seccomp filter of its own, which may kill it for mmap, munmap, madvise, brk, rt_sigprocmask, rt_sigreturn, gettid or tgkill`,
    'when its filter allows these, use --force',
  )
}

/** Filters of the first process in the process's PID namespace; 0 when that cannot be told. */
export function inheritedFilters(pid: number): number {
  const namespace = linkOrNull(`/proc/${pid}/ns/pid`)
  if (namespace === null) return 0
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || linkOrNull(`/proc/${entry}/ns/pid`) !== namespace) continue
    const text = readTextOrNull(`/proc/${entry}/status`)
    const inner = /^NSpid:.*\t(\d+)$/m.exec(text ?? '')?.[1]
    if (text !== null && inner === '1') return parseTaskStatus(1, text).seccompFilters ?? 0
  }
  return 0
}

function linkOrNull(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  }
}

/** Looks until a reason that can pass has passed. */
const LOOKS = 5
const LOOK_AGAIN_MS = 40

/** Throws the Refusal of `refusalOf`; a disk wait is given a moment to end. */
export async function guard(pid: number, force: boolean): Promise<void> {
  const inherited = inheritedFilters(pid)
  for (let look = 1; ; look++) {
    const refusal = refusalOf(pid, taskStatuses(pid), inherited, force)
    if (!refusal) return
    if (refusal.code !== 'uninterruptible' || look === LOOKS) throw refusal
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS * look))
  }
}
