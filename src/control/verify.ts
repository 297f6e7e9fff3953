// Our own walk and glibc's figures of the same moment, number by number.
import type { MallocState } from '../malloc/read-heap-model.js'
import { readHeapModel } from '../malloc/read-heap-model.js'
import { type Difference, verifyAgainst } from '../malloc/verify.js'
import type { Symbols } from '../target/target.js'
import { type GlibcFigures, glibcFigures } from './glibc-figures.js'
import { Refusal } from './refusal.js'
import type { ControlledTarget, VisitOptions } from './visit.js'

export interface Verification {
  readonly ours: MallocState
  readonly glibcs: GlibcFigures
  readonly differences: readonly Difference[]
}

/**
 * Reads the stopped process as a report does, then asks glibc in the same stop. Neither question allocates in the
 * process, so that there is nothing to be taken off. Throws Refusal, MiError.
 */
export async function verify(
  controlled: ControlledTarget,
  symbols: Symbols | null,
  options: VisitOptions = {},
): Promise<Verification> {
  let ours: MallocState | null = null
  const glibcs = await glibcFigures(controlled, options, async () => {
    controlled.target.refresh()
    ours = await readHeapModel(controlled.target, symbols, { still: true })
  })
  const seen = ours as MallocState | null
  if (!seen) throw new Refusal('not-glibc', 'no glibc malloc was found in the stopped process', 'see --debug')
  const differences = verifyAgainst(seen.model, glibcs.info, glibcs.stats ?? undefined)
  return { ours: seen, glibcs, differences }
}
