// Whether a process can be looked at, and if not: exactly why, and what to do.

import { TargetError } from '../target.js'
import { readTextOrNull } from './proc-file.js'

/** What we use of /proc/PID/status, which everyone may read. */
export interface ProcessStatus {
  readonly name: string
  readonly state: string
  /** Process that the task belongs to: differs from the number asked for when that was a thread's. */
  readonly tgid: number
  /** Real, effective, saved and file system user ids. */
  readonly uids: readonly number[]
  readonly hasMemory: boolean
  readonly isKernelThread: boolean
  /** The process's number in its own PID namespace, which is the innermost. */
  readonly innerPid: number
  readonly effectiveCapabilities: bigint
}

const CAP_SYS_PTRACE = 1n << 19n

/** Fields of a /proc/PID/status text; throws TargetError when it is no such text. */
export function parseStatus(text: string): ProcessStatus {
  const fields = new Map(
    text
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const tgid = Number(fields.get('Tgid'))
  if (!Number.isInteger(tgid))
    throw new TargetError('unexpected text in /proc/PID/status', 'is /proc mounted?')
  const hasMemory = fields.has('VmSize')
  const state = fields.get('State') ?? '?'
  return {
    name: fields.get('Name') ?? '?',
    state,
    tgid,
    uids: (fields.get('Uid') ?? '').split(/\s+/).map(Number),
    hasMemory,
    isKernelThread: fields.get('Kthread') === '1' || (!hasMemory && !/^[ZX]/.test(state)),
    innerPid: Number(fields.get('NSpid')?.split(/\s+/).at(-1) ?? tgid),
    effectiveCapabilities: BigInt(`0x${fields.get('CapEff') ?? '0'}`),
  }
}

/** The status of a process that has memory. Throws TargetError for none such, a zombie and a kernel thread. */
export function requireProcess(pid: number): ProcessStatus {
  const text = Number.isSafeInteger(pid) && pid > 0 ? readTextOrNull(`/proc/${pid}/status`) : null
  if (text === null) {
    throw new TargetError(
      `no process ${pid}`,
      'find the process with `pgrep -a NAME`; in a container only its own processes are seen, by their numbers there',
    )
  }
  const status = parseStatus(text)
  if (status.hasMemory) return status
  if (status.isKernelThread) {
    throw new TargetError(
      `${pid} (${status.name}) is a kernel thread: it has no memory of its own`,
      'choose a process: `pgrep -a NAME`',
    )
  }
  throw new TargetError(
    `process ${pid} (${status.name}) has ended and waits for its parent to collect it (zombie): its memory is gone`,
    'choose a process that runs: `pgrep -a NAME`',
  )
}

/** Who asks: for `denial`. */
export interface Caller {
  readonly uid: number
  readonly effectiveCapabilities: bigint
  /** The text of /proc/sys/kernel/yama/ptrace_scope, null where the kernel has none. */
  readonly ptraceScope: string | null
}

/** This process as a Caller. */
export function thisCaller(): Caller {
  const own = readTextOrNull('/proc/self/status')
  return {
    uid: process.geteuid?.() ?? -1,
    effectiveCapabilities: own === null ? 0n : parseStatus(own).effectiveCapabilities,
    ptraceScope: readTextOrNull('/proc/sys/kernel/yama/ptrace_scope')?.trim() ?? null,
  }
}

/** The error for a process whose memory `caller` may not read: what is missing, and the command that has it. */
export function denial(pid: number, target: ProcessStatus, caller: Caller): TargetError {
  const who = `process ${pid} (${target.name})`
  const sudo = `run \`sudo arena-inspect --pid ${pid}\``
  const container = 'in a container, start it with `--cap-add SYS_PTRACE`'
  if (caller.ptraceScope === '3') {
    return new TargetError(
      `may not read the memory of ${who}: kernel.yama.ptrace_scope is 3, which forbids it to everyone`,
      'only a reboot changes that; a core of the process can be read instead: make it dump one (`kill -ABRT PID` ends it)',
    )
  }
  if ((caller.effectiveCapabilities & CAP_SYS_PTRACE) !== 0n) {
    return new TargetError(
      `may not read the memory of ${who} although this process has CAP_SYS_PTRACE: it lives in another user namespace, or a security module (SELinux, AppArmor) forbids it`,
      `${sudo} outside of any container, on the host itself`,
    )
  }
  if (target.uids.some((uid) => uid !== caller.uid)) {
    const owner = [...new Set(target.uids)].join('/')
    return new TargetError(
      `may not read the memory of ${who}: it belongs to user ${owner}, you are user ${caller.uid} without CAP_SYS_PTRACE`,
      `${sudo}, or run as the same user; ${container}`,
    )
  }
  if (caller.uid === 0) {
    return new TargetError(
      `may not read the memory of ${who}: root without CAP_SYS_PTRACE, as in a container`,
      `start the container with \`--cap-add SYS_PTRACE\`, or run \`arena-inspect --pid\` on the host with the number that the process has there`,
    )
  }
  if (caller.ptraceScope === '1' || caller.ptraceScope === '2') {
    const rule = caller.ptraceScope === '1' ? 'only its parent' : 'only a process with CAP_SYS_PTRACE'
    return new TargetError(
      `may not read the memory of ${who}: kernel.yama.ptrace_scope is ${caller.ptraceScope}, so ${rule} may`,
      `${sudo}; ${container}${caller.ptraceScope === '1' ? '; or allow it to all of your processes: `sudo sysctl kernel.yama.ptrace_scope=0`' : ''}`,
    )
  }
  return new TargetError(
    `may not read the memory of ${who}: it is yours, but it hides its memory (not dumpable: a set-uid program, prctl PR_SET_DUMPABLE) or has capabilities that you have not`,
    `${sudo}; ${container}`,
  )
}
