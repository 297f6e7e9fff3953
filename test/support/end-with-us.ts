// No program outlives the test that started it, nor keeps the test's process alive.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'

const running = new Map<ChildProcess, NodeJS.Signals>()

function endAll(): void {
  for (const [child, signal] of running) child.kill(signal)
}

process.on('exit', endAll)

let current: Test | null = null
let hasFailed = false
// A file that throws outside of its tests would wait for them.
process.on('uncaughtExceptionMonitor', () => {
  if (current === null) endAll()
})
t.on('subtestStart', (test) => {
  current = test as Test
  hold('ref')
})
t.on('subtestEnd', (test) => {
  // A test that fails may leave out what would end programs that it shares with others.
  if (!(test as Test).passing()) hasFailed = true
  // The next one may have begun by then.
  if (test !== current) return
  current = null
  if (hasFailed) hold('unref')
})

function hold(how: 'ref' | 'unref'): void {
  for (const child of running.keys()) {
    for (const handle of [child, ...child.stdio] as (ChildProcess | Socket | null)[]) handle?.[how]?.()
  }
}

/** Ends `child` by `signal` with the test of the file that is under way, else when this process exits. */
export function endWithUs<Child extends ChildProcess>(
  child: Child,
  signal: NodeJS.Signals = 'SIGKILL',
): Child {
  running.set(child, signal)
  child.once('exit', () => running.delete(child))
  current?.teardown(() => {
    child.kill(signal)
  })
  return child
}

/** Ends `child` by `signal` now and waits for that, unless it has ended before. */
export async function endNow(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
