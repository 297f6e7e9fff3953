// How the process ends by a signal: at once, or when what is under way in another process has been put right.
import { EXIT, type ExitCode } from './exit.js'
import { say } from './terminal.js'

let putRight: ((code: ExitCode) => Promise<unknown>) | null = null
/** Said when a signal does not end the process at once; null: nothing. */
let sayMeanwhile: string | null = null
let isEnding = false

/** For SIGINT, SIGTERM and SIGHUP; a second one does not wait. Ends through `exit`, so that children go too. */
export function endBy(code: ExitCode): void {
  if (putRight === null || isEnding) process.exit(code)
  isEnding = true
  if (sayMeanwhile !== null) say(sayMeanwhile)
  void putRight(code).finally(() => process.exit(code))
}

/**
 * Runs `work`, which is inside another process: signals abort it and wait for its end, and Ctrl-Z waits too, since
 * the other process stands still meanwhile.
 */
export async function unhurried<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const onStop = () => say('not now: another process stands still')
  const running = work(abort.signal)
  putRight = () => {
    abort.abort()
    return running.catch(() => {})
  }
  sayMeanwhile = 'putting everything back in the process; a moment'
  process.on('SIGTSTP', onStop)
  try {
    return await running
  } finally {
    if (!isEnding) putRight = null
    process.off('SIGTSTP', onStop)
  }
}

/**
 * Runs `work`, which has something to finish when it is aborted (a summary, a file): signals abort it and wait for its
 * end; a second one does not wait. The reason of the abort is the exit code.
 */
export async function finishing<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const running = work(abort.signal)
  sayMeanwhile = null
  putRight = (code) => {
    abort.abort(code)
    return running.catch(() => {})
  }
  try {
    return await running
  } finally {
    if (!isEnding) putRight = null
  }
}

/** Registers the handlers; once, by the command line. */
export function endOnSignals(): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => endBy(EXIT[name]))
}
