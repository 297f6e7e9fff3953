// Takes samples of an opened live process: one session, many measurements, gdb only for the first.
import type { HeapProgress } from '../malloc/read-heap-model.js'
import type { Measured } from '../report/build-report.js'
import { observe } from '../session/measure.js'
import type { TargetSession } from '../session/open-session.js'
import { rememberSymbols } from '../session/remember-symbols.js'
import { type Symbols, TargetError } from '../target/target.js'
import {
  availableBytes,
  commandNow,
  type Ending,
  endingOf,
  startTicks,
  virtualBytes,
} from './process-facts.js'
import { type Sample, sampleOf } from './sample.js'

/** Arenas that move are read again for so long only: the next sample comes soon. */
const SETTLE_MS = 200

/** The process's address space is gone. */
export class TargetGone extends Error {
  override readonly name = 'TargetGone'
  constructor(
    readonly ending: Ending,
    /** For people. */
    message: string,
  ) {
    super(message)
  }
}

export interface Taken {
  readonly sample: Sample
  readonly facts: Measured
}

/** Where samples come from. */
export interface SampleSource {
  /** Throws TargetGone at the end of the target, TargetError for what may pass, and the signal's reason when aborted. */
  take(signal: AbortSignal): Promise<Taken>
}

export class Sampler implements SampleSource {
  readonly #symbols: Symbols | null
  readonly #start: string | null
  #isGdbDone = false

  constructor(
    readonly session: TargetSession,
    readonly pid: number,
  ) {
    this.#symbols = session.symbols && rememberSymbols(session.symbols)
    this.#start = startTicks(pid)
  }

  async take(signal: AbortSignal): Promise<Taken> {
    const { target } = this.session
    const atMs = Date.now()
    const began = performance.now()
    // Signals and timers run between arenas.
    const progress: HeapProgress = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    try {
      target.refresh()
      const virtual = virtualBytes(this.pid)
      const facts = await observe(target, this.#symbols, {
        progress,
        settleMs: SETTLE_MS,
        rules: this.session.rules,
      })
      const swapBytes = target.memoryTotals()?.swapBytes ?? null
      // Whatever was read by the process's number was of this process, if it is still there.
      target.refresh()
      await this.#closeGdb()
      const tookMs = Math.round((performance.now() - began) * 10) / 10
      const around = {
        atMs,
        tookMs,
        virtualBytes: virtual,
        machineAvailableBytes: availableBytes(),
        swapBytes,
      }
      return { sample: sampleOf(facts.facts, around), facts: facts.facts }
    } catch (error) {
      if (error instanceof TargetError) this.#throwIfGone()
      throw error
    }
  }

  // Its answers are remembered; a gdb that waits for a week takes memory where there may be little.
  async #closeGdb(): Promise<void> {
    if (this.#isGdbDone) return
    this.#isGdbDone = true
    await this.#symbols?.close()
  }

  #throwIfGone(): void {
    try {
      this.session.target.refresh()
    } catch (error) {
      if (!(error instanceof TargetError)) throw error
      const ending = endingOf(this.pid, this.#start)
      const what =
        ending === 'ended'
          ? `process ${this.pid} has ended`
          : `process ${this.pid} has started another program (${commandNow(this.pid) ?? 'unknown'})`
      throw new TargetGone(ending, what)
    }
  }
}
