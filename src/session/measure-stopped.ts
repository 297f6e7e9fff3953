// One exact look at a live process: it stands still while it is read, and as short as can be.
import type { HeapModel } from '../malloc/heap-model.js'
import type { Holder, Released } from '../target/live/hold.js'
import type { Symbols, Target } from '../target/target.js'
import { conclude, type Measurement, type MeasureOptions, type Observation, observe } from './measure.js'
import { rememberSymbols } from './remember-symbols.js'

/** How a process was stopped to be read. */
export interface Stop {
  /** In all stops together, of which the last was that of the reading. */
  readonly stoodStillMs: number
  readonly stops: number
}

/** It runs on by itself after so long, whatever happens to us. */
const MOST_MS = 10_000
/** When reading all arenas takes longer, only those that have changed since they were read are read in the stop. */
const SHORT_MS = 100
/** Moments looked for at which no thread is inside of malloc. */
const MOST_STOPS = 10
/** Pictures taken when one shows damage, which a thread in the middle of malloc can look like. */
const MOST_PICTURES = 5
const PAUSE_MS = 10

/**
 * Measures a live process at one moment. All that takes time without being of that moment is done before: gdb's answers,
 * finding malloc, and one look while it runs. Throws TargetError.
 */
export async function measureStopped(
  target: Target,
  symbols: Symbols | null,
  holder: Holder,
  { progress, rules }: Pick<MeasureOptions, 'progress' | 'rules'> = {},
): Promise<Measurement> {
  const remembered = symbols && rememberSymbols(symbols)
  const before = await observe(target, remembered, {
    keepReads: true,
    settleMs: 0,
    ...(progress ? { progress } : {}),
  })
  const reads = before.malloc?.reads
  const known = reads && reads.elapsedMs > SHORT_MS ? reads : null
  const locks = before.malloc?.model.arenas.map(({ address }) => address) ?? []
  let stoodStillMs = 0
  let pictures = 0
  for (let stops = 1; ; stops++) {
    target.refresh()
    const { missed, locked } = await holder.hold(MOST_MS, locks)
    let released: Released | null = null
    const release = async (): Promise<void> => {
      released ??= await holder.release()
    }
    let seen: Observation | null = null
    try {
      if (locked === 0 || stops >= MOST_STOPS) {
        const more = known ? { known, onRead: release } : {}
        seen = await observe(target, remembered, { still: true, keepReads: true, rules, ...more })
      }
    } finally {
      await release()
    }
    const { stoodStillMs: ms, late } = released!
    stoodStillMs += ms
    if (seen) pictures++
    const isLast = stops >= MOST_STOPS || pictures >= MOST_PICTURES
    if (seen && (isLast || !isDamaged(seen.malloc?.model))) {
      const facts = {
        ...seen.facts,
        stop: { stoodStillMs, stops },
        problems: [...seen.facts.problems, ...doubts(seen, missed, late)],
      }
      const malloc = seen.malloc && { model: seen.malloc.model, layout: seen.malloc.layout }
      return conclude(target, symbols, { ...seen, malloc, facts })
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

/** What a thread in the middle of malloc can look like, too. */
export function isDamaged(model: HeapModel | undefined): boolean {
  return model !== undefined && (model.anomalies.length > 0 || !model.ringClosed)
}

function doubts({ malloc }: Observation, missed: number, late: boolean): string[] {
  const said: string[] = []
  const { reused = 0, arenas = [] } = malloc?.reads ?? {}
  if (reused > 0)
    said.push(
      `${reused} of ${arenas.length} arenas are too large to be read while the process stands still: they were read just before, and by their headers nothing had changed in them; what is in RAM was read right after`,
    )
  if (late)
    said.push(
      `the process ran on after ${MOST_MS / 1000} s, before all of it was read: figures are of several moments`,
    )
  if (missed > 0)
    said.push(
      `${missed} threads are in system calls that cannot be stopped: what the kernel writes for them may move`,
    )
  return said
}
