// Which processes can be looked at, and what the user is told about the others.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { address } from '../../src/memory/address.js'
import { sizeOf } from '../../src/memory/region.js'
import { isNodeError } from '../../src/target/elf/node-error.js'
import { denial, parseStatus } from '../../src/target/live/access.js'
import { openLive } from '../../src/target/live/open-live.js'
import { TargetError } from '../../src/target/target.js'
import { compile, type Running, scratch, start } from '../support/programs.js'

const PAGE = 4096
/** Hides its memory, leaves a zombie behind, or just waits. */
const SIMPLE = `#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "hide")) prctl(PR_SET_DUMPABLE, 0);
  if (argc > 1 && !strcmp(argv[1], "zombie")) { int p = fork(); if (!p) _exit(0); siginfo_t i; waitid(P_PID, p, &i, WEXITED | WNOWAIT); printf("%d", p); }
  puts("");
  fflush(stdout);
  for (;;) pause();
}`

/** A program that runs until the test ends, however it ends. */
async function started(t: Test, ...args: Parameters<typeof start>): Promise<Running> {
  const running = await start(...args)
  t.teardown(() => running.kill())
  return running
}

function textOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  }
}

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return null
}

function problem(run: () => unknown): TargetError {
  const error = thrown(run)
  if (error instanceof TargetError) return error
  throw error ?? new Error('no error')
}

t.test('no such process, no memory', async (t) => {
  t.match(
    problem(() => openLive(4194305)),
    { message: 'no process 4194305', hint: /pgrep -a NAME/ },
  )
  for (const pid of [0, -1, 1.5, Number.NaN])
    t.match(
      problem(() => openLive(pid)),
      { message: /^no process/ },
    )
  const running = await started(t, compile(SIMPLE), ['zombie'])
  t.match(
    problem(() => openLive(Number(running.line))),
    { message: /zombie/ },
  )
})

t.test('a kernel thread', async (t) => {
  if (!textOrNull('/proc/2/status')?.includes('kthreadd')) {
    return t.pass('kthreadd', { skip: 'process 2 is not kthreadd here (a PID namespace)' })
  }
  t.match(
    problem(() => openLive(2)),
    { message: '2 (kthreadd) is a kernel thread: it has no memory of its own' },
  )
})

const NOBODY = 65534

/** Runs `look` with the rights of an ordinary user; nothing asynchronous may happen in it. */
function asNobody<T>(look: () => T): T {
  process.seteuid!(NOBODY)
  try {
    return look()
  } finally {
    process.seteuid!(0)
  }
}

t.test('as an ordinary user', async (t) => {
  if (process.getuid!() !== 0) {
    return t.pass('as nobody', { skip: 'only root can become another user' })
  }
  const folder = scratch()
  chmodSync(folder, 0o755)
  const program = join(folder, 'simple')
  copyFileSync(compile(SIMPLE), program)
  const roots = await started(t, program)
  const own = await started(t, program, [], { uid: NOBODY, cwd: '/' })
  const hidden = await started(t, program, ['hide'], { uid: NOBODY, cwd: '/' })

  t.match(
    asNobody(() => problem(() => openLive(roots.pid))),
    {
      message: `may not read the memory of process ${roots.pid} (simple): it belongs to user 0, you are user ${NOBODY} without CAP_SYS_PTRACE`,
      hint: new RegExp(`\`sudo arena-inspect --pid ${roots.pid}\`.*--cap-add SYS_PTRACE`),
    },
  )
  t.match(
    asNobody(() => problem(() => openLive(hidden.pid))),
    { message: /may not read .*(not dumpable|ptrace_scope)/ },
  )
  t.equal(openLive(hidden.pid).executable, program, 'root may')

  const scope = parseInt(textOrNull('/proc/sys/kernel/yama/ptrace_scope') ?? '0', 10)
  if (scope > 0) return t.pass('own process', { skip: `yama ptrace_scope is ${scope}` })
  asNobody(() => {
    const target = openLive(own.pid)
    const libc = target.modules().find((m) => m.path.includes('libc.so'))!
    t.equal(libc.file, libc.path)
    t.ok(target.threads()[0]!.stackPointer)
    t.ok(target.regions().every((r) => target.residentBytes(r.start, r.end)! <= sizeOf(r)))
    const libcPart = target.residentBytes(libc.base, address(libc.base + BigInt(PAGE)))
    t.equal(libcPart, PAGE, 'the page of libc’s ELF header')
    target.close()
  })
})

t.test('a denial says what is missing', async (t) => {
  const target = parseStatus('Name:\tdb\nState:\tS (sleeping)\nTgid:\t7\nUid:\t5\t5\t5\t5\nVmSize:\t9 kB\n')
  const PTRACE = 1n << 19n
  const cases: [Parameters<typeof denial>[2], RegExp, RegExp][] = [
    [
      { uid: 6, effectiveCapabilities: 0n, ptraceScope: null },
      /belongs to user 5, you are user 6/,
      /sudo arena-inspect --pid 7/,
    ],
    [{ uid: 5, effectiveCapabilities: 0n, ptraceScope: '0' }, /not dumpable/, /sudo arena-inspect --pid 7/],
    [
      { uid: 5, effectiveCapabilities: 0n, ptraceScope: '1' },
      /ptrace_scope is 1, so only its parent/,
      /sysctl kernel.yama.ptrace_scope=0/,
    ],
    [
      { uid: 5, effectiveCapabilities: 0n, ptraceScope: '2' },
      /ptrace_scope is 2, so only a process with CAP/,
      /sudo/,
    ],
    [{ uid: 5, effectiveCapabilities: PTRACE, ptraceScope: '3' }, /ptrace_scope is 3.*everyone/, /reboot/],
    [
      { uid: 0, effectiveCapabilities: PTRACE, ptraceScope: '1' },
      /although this process has CAP_SYS_PTRACE/,
      /on the host/,
    ],
  ]
  for (const [caller, message, hint] of cases) t.match(denial(7, target, caller), { message, hint })
  const root = parseStatus('Name:\tdb\nTgid:\t7\nUid:\t0\t0\t0\t0\nVmSize:\t9 kB\n')
  t.match(denial(7, root, { uid: 0, effectiveCapabilities: 0n, ptraceScope: null }), {
    message: /root without CAP/,
    hint: /--cap-add/,
  })
})

t.test('a process in another PID namespace', async (t) => {
  if (process.getuid!() !== 0) {
    return t.pass('namespace', { skip: 'only root can make a PID namespace' })
  }
  const child = spawn('unshare', ['--pid', '--fork', '--kill-child', compile(SIMPLE)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [first] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])
  if (!Buffer.isBuffer(first)) {
    return t.pass('namespace', { skip: `unshare may not make one here (exit ${first})` })
  }
  const inner = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'))
  const target = openLive(inner)
  t.teardown(() => target.close())
  t.match(target, { pid: inner, label: `pid ${inner} (1 in its PID namespace)` })
  t.equal(target.threads()[0]!.tid, inner)
})
