// Waits that end by what happened, not by the clock.
import type { ChildProcess } from 'node:child_process'

/** How long anything is waited for, far above what a busy machine takes. */
export const DEADLINE_MS = 180_000

/** How something has ended of which nothing more can come; null while it goes on. */
export type Ending = () => string | null

/**
 * Until `check` is true. Rejects with `what` as soon as `ending` tells that it cannot come any more, else after
 * DEADLINE_MS.
 */
export async function waitUntil(
  what: string,
  check: () => boolean,
  ending: Ending = () => null,
): Promise<void> {
  const until = Date.now() + DEADLINE_MS
  for (;;) {
    // Asked first: what came with the end has come.
    const ended = ending()
    if (check()) return
    if (ended !== null) throw new Error(`waited until ${what}, but ${ended}`)
    if (Date.now() > until) throw new Error(`waited too long until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** What a program prints next; rejects when it ends instead. */
export function nextOutput(child: ChildProcess): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', resolve)
    child.once('error', reject)
    child.once('close', (code, signal) => reject(new Error(`the program ended (${code ?? signal}) silently`)))
  })
}

/** The ending of a program; `said` is what it printed. */
export function endingOf(child: ChildProcess, said: () => string = () => ''): Ending {
  let isOver = child.exitCode !== null || child.signalCode !== null
  // Not as soon as it exits: its last words are on their way.
  child.once('close', () => {
    isOver = true
  })
  return () => (isOver ? `the program ended (${child.exitCode ?? child.signalCode}) ${said()}` : null)
}
