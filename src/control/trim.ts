// malloc_trim(0) inside a live process: what it should return, and what it did.
import type { HeapModel } from '../malloc/heap-model.js'
import { hex } from '../memory/address.js'
import { residentOf, rssBytes } from './resident.js'
import { type ControlledTarget, type VisitDone, type VisitOptions, visit } from './visit.js'

/** Resident bytes that malloc_trim(0) should give back; null where that is unknown. */
export interface TrimPrediction {
  readonly totalBytes: number | null
  /** Ring order. */
  readonly arenas: readonly (number | null)[]
}

/** From the walk and the pages in RAM at the time of the model. */
export function predictTrim(model: HeapModel): TrimPrediction {
  return {
    totalBytes: model.totals.trimReturnsBytes,
    arenas: model.arenas.map(({ trimReturnsBytes }) => trimReturnsBytes),
  }
}

/** One arena, or the whole process, before and after; null where the kernel does not tell. */
export interface Returned {
  readonly predictedBytes: number | null
  readonly beforeBytes: number | null
  readonly afterBytes: number | null
  readonly returnedBytes: number | null
}

export interface TrimOutcome {
  /** What malloc_trim returned; true also when what it gave back was not in RAM. */
  readonly released: boolean
  /** RSS. */
  readonly process: Returned
  /** Resident bytes of the arenas' heaps, ring order. */
  readonly arenas: readonly (Returned & { readonly index: number; readonly address: string })[]
  readonly visit: VisitDone
}

/** Calls malloc_trim(0); both measurements are taken while the process stands still. Throws Refusal, MiError. */
export async function trim(
  controlled: ControlledTarget,
  prediction: TrimPrediction,
  options: VisitOptions = {},
): Promise<TrimOutcome> {
  const { target, malloc } = controlled
  const looks: { rss: number | null; arenas: readonly (number | null)[] }[] = []
  const done = await visit(
    controlled,
    {
      calls: ['trim'],
      looks: ['before', 'after'],
      look: async () => {
        target.refresh()
        looks.push({ rss: rssBytes(target.pid!), arenas: residentOf(target, malloc.model.arenas) })
      },
    },
    options,
  )
  const [before, after] = looks
  return {
    released: done.results.trim === 1,
    process: returned(prediction.totalBytes, before?.rss, after?.rss),
    arenas: malloc.model.arenas.map(({ index, address }, at) => ({
      index,
      address: hex(address),
      ...returned(prediction.arenas[at] ?? null, before?.arenas[at], after?.arenas[at]),
    })),
    visit: done,
  }
}

/** All but the call: attached, checked, detached. */
export function rehearse(controlled: ControlledTarget, options: VisitOptions = {}): Promise<VisitDone> {
  return visit(controlled, { calls: [] }, options)
}

function returned(
  predicted: number | null,
  before: number | null | undefined,
  after: number | null | undefined,
): Returned {
  const known = typeof before === 'number' && typeof after === 'number'
  return {
    predictedBytes: predicted,
    beforeBytes: before ?? null,
    afterBytes: after ?? null,
    returnedBytes: known ? before - after : null,
  }
}
