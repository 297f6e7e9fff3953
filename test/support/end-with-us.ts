// No program that a test started outlives the test's process, nor keeps it alive.
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import t from 'tap'

const running = new Map<ChildProcess, NodeJS.Signals>()
process.on('exit', () => {
  for (const [child, signal] of running) child.kill(signal)
})

// A test that throws leaves its programs behind: between tests nobody waits for them.
let current: unknown = null
t.on('subtestStart', (test) => {
  current = test
  hold('ref')
})
t.on('subtestEnd', (test) => {
  if (test === current) hold('unref')
})

function hold(how: 'ref' | 'unref'): void {
  for (const child of running.keys()) {
    for (const handle of [child, ...child.stdio] as (ChildProcess | Socket | null)[]) handle?.[how]?.()
  }
}

/** Ends `child` by `signal` when this process exits, unless it has ended before. */
export function endWithUs<Child extends ChildProcess>(
  child: Child,
  signal: NodeJS.Signals = 'SIGKILL',
): Child {
  running.set(child, signal)
  child.once('exit', () => running.delete(child))
  return child
}
