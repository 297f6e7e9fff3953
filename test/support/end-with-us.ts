// No program that a test started outlives the test's process.
import type { ChildProcess } from 'node:child_process'

const running = new Map<ChildProcess, NodeJS.Signals>()
process.on('exit', () => {
  for (const [child, signal] of running) child.kill(signal)
})

/** Ends `child` by `signal` when this process exits, unless it has ended before. */
export function endWithUs<Child extends ChildProcess>(
  child: Child,
  signal: NodeJS.Signals = 'SIGKILL',
): Child {
  running.set(child, signal)
  child.once('exit', () => running.delete(child))
  return child
}
