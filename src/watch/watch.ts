// The loop of a watch: a sample, a pause, and never more of the time in samples than a share.
import { TargetError } from '../target/target.js'
import { type SampleSource, type Taken, TargetGone } from './sampler.js'

/** Sampling takes at most so much of the time; the pause is stretched where it would take more. */
export const MOST_SHARE = 0.5
/** So many samples that fail one after the other end the watch. */
const MOST_FAILURES = 5
/** A longer pause is told when it is so much longer than the one asked for, and again when than the one told. */
const TELL = 1.1
const TELL_AGAIN = 2

/** Time as the loop sees it; tests give their own. */
export interface Clock {
  /** Monotonic ms. */
  now(): number
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export interface WatchOptions {
  readonly everyMs: number
  /** Null: until the target ends or the signal is aborted. */
  readonly forMs: number | null
  readonly count: number | null
  readonly signal: AbortSignal
  readonly clock: Clock
  onSample(taken: Taken): void | Promise<void>
  /** Sampling takes too long for `everyMs`: from now on it is every `everyMs` of the argument. */
  onStretch(everyMs: number, tookMs: number): void
  /** A sample failed; the next is tried. */
  onFailure(error: TargetError): void
}

/** Why a watch ended. `text` is for people. */
export interface WatchEnd {
  readonly why: 'count' | 'time' | 'target-ended' | 'target-executed' | 'signal'
  readonly text: string
}

/** Runs to the end; throws TargetError when samples go on failing. */
export async function watch(source: SampleSource, options: WatchOptions): Promise<WatchEnd> {
  const { everyMs, forMs, count, signal, clock } = options
  const started = clock.now()
  let toldMs = everyMs
  let failures = 0
  for (let taken = 0; ; ) {
    if (signal.aborted) return INTERRUPTED
    const began = clock.now()
    try {
      await options.onSample(await source.take(signal))
      taken++
      failures = 0
    } catch (error) {
      if (signal.aborted) return INTERRUPTED
      if (error instanceof TargetGone) return goneEnd(error)
      if (!(error instanceof TargetError) || ++failures >= MOST_FAILURES) throw error
      options.onFailure(error)
    }
    if (count !== null && taken >= count) return { why: 'count', text: `${count} samples were taken` }
    const tookMs = clock.now() - began
    const pacedMs = Math.max(everyMs, Math.ceil(tookMs / MOST_SHARE))
    // The first sample starts gdb: only those after it tell what sampling costs.
    if (taken > 1 && pacedMs > toldMs * (toldMs === everyMs ? TELL : TELL_AGAIN)) {
      toldMs = pacedMs
      options.onStretch(pacedMs, tookMs)
    }
    const next = began + pacedMs
    if (forMs !== null && next > started + forMs) {
      await clock.sleep(started + forMs - clock.now(), signal)
      return signal.aborted ? INTERRUPTED : { why: 'time', text: 'the time is over' }
    }
    await clock.sleep(next - clock.now(), signal)
  }
}

const INTERRUPTED: WatchEnd = { why: 'signal', text: 'interrupted' }

function goneEnd({ ending, message }: TargetGone): WatchEnd {
  return { why: ending === 'ended' ? 'target-ended' : 'target-executed', text: message }
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The real one. */
export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(LONGEST_TIMER_MS, Math.max(0, ms)))
      signal.addEventListener('abort', done)
    }),
}
