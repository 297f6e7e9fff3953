// What a process does right now, by /proc: looking at it does not disturb it.
import { readFileSync } from 'node:fs'

/** proc(5): the third field of /proc/PID/stat. */
const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'waiting for I/O',
  T: 'stopped',
  t: 'held by a debugger',
  Z: 'ended',
  X: 'ended',
  I: 'idle',
}

/** `running`, `sleeping`, `stopped` …; `gone` when there is no such process, null when it cannot be told. */
export function processState(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything, parentheses too.
    return STATES[text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3)] ?? null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : null
  }
}
