// One look at a process that can only be read while it stands still (behind a gdb stub): prepared while it runs.
import { detectGlibc } from '../malloc/detect/detect.js'
import { type Halt, type Symbols, type Target, TargetError } from '../target/target.js'
import { conclude, type Measurement, type MeasureOptions, type Observation, observe } from './measure.js'
import { isDamaged } from './measure-stopped.js'
import { rememberSymbols } from './remember-symbols.js'

/** Pictures taken when one shows damage, which a thread in the middle of malloc can look like. */
const MOST_PICTURES = 3
const PAUSE_MS = 10

/** Measures at one moment; gdb loads symbols and malloc is found before it. Throws TargetError. */
export async function measureHalted(
  target: Target,
  halt: Halt,
  symbols: Symbols | null,
  options: Pick<MeasureOptions, 'progress' | 'rules'> = {},
): Promise<Measurement> {
  const remembered = symbols && rememberSymbols(symbols)
  await detectGlibc(target, remembered)
  let stoodStillMs = 0
  let stops = 0
  for (let picture = 1; ; picture++) {
    const { seen, stood } = await observeHeld(target, halt, remembered, options)
    stoodStillMs += stood.stoodStillMs
    stops += stood.stops
    const isLast = picture === MOST_PICTURES || stood.stops === 0
    if (isLast || !isDamaged(seen.malloc?.model)) {
      return conclude(target, symbols, { ...seen, facts: { ...seen.facts, stop: { stoodStillMs, stops } } })
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

async function observeHeld(
  target: Target,
  halt: Halt,
  symbols: Symbols | null,
  options: Pick<MeasureOptions, 'progress' | 'rules'>,
): Promise<{ seen: Observation; stood: ReturnType<Halt['release']> }> {
  target.refresh()
  halt.hold()
  let seen: Observation | null = null
  try {
    seen = await observe(target, symbols, { still: true, ...options })
  } finally {
    if (!seen) releaseUnlessLost(halt)
  }
  return { seen, stood: halt.release() }
}

// The error that is on its way says more.
function releaseUnlessLost(halt: Halt): void {
  try {
    halt.release()
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
  }
}
