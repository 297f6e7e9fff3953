// What malloc_trim(0) gives back, predicted and measured, shape by shape on one glibc.
import { readFileSync } from 'node:fs'
import { openSession } from '../../src/session/open-session.js'
import { start } from '../support/programs.js'
import { nextOutput } from '../support/wait-until.js'

/** The shapes of test/programs/trim-shapes.c, and what each is about. */
export const TRIM_SHAPES = [
  { shape: 'scattered', what: 'large blocks, one in 13 stays' },
  { shape: 'small', what: 'small blocks, one in 7 stays: no whole page is free' },
  { shape: 'fastbins', what: 'free chunks that fastbin chunks lie between' },
  { shape: 'untouched', what: 'free chunks of which only the first page was ever in RAM' },
  { shape: 'top', what: 'free memory is in top; only main_arena returns it' },
  { shape: 'foreign', what: 'the same, but somebody else called sbrk' },
  { shape: 'locked', what: 'mlockall: only top is returned' },
  { shape: 'forked', what: 'every page is shared with a child' },
] as const

/** Bytes; `measured` by the sum of smaps before and after the call. */
export interface TrimResult {
  readonly shape: string
  readonly rssBytes: number
  readonly predicted: number | null
  readonly measured: number
}

/** Runs `program` (trim-shapes) in one shape. */
export async function trimResult(program: string, shape: string, mib: number): Promise<TrimResult> {
  const running = await start(program, [shape, String(mib)], { detached: true })
  try {
    const pid = Number(running.line)
    const session = await openSession({ kind: 'live', pid }, { useGdb: false })
    const predicted = session.report.heap!.totals.trimReturnsBytes
    await session.close()
    const rssBytes = rssOf(pid)
    const answer = nextOutput(running.child)
    process.kill(pid, 'SIGUSR1')
    await answer
    return { shape, rssBytes, predicted, measured: rssBytes - rssOf(pid) }
  } finally {
    // The child that shape `forked` makes is in the same group.
    process.kill(-running.pid, 'SIGKILL')
  }
}

/** Rss of smaps_rollup: exact, unlike the counters of status. */
function rssOf(pid: number): number {
  return Number(/^Rss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) * 1024
}
