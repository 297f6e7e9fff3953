// A core's heap from its own memory alone, when that leaves no doubt: then debug information could only say the same.
import type { Target } from '../target/target.js'
import { detectGlibc } from './detect/detect.js'
import type { HeapModel } from './heap-model.js'
import { type HeapProgress, type MallocState, readDetected } from './read-heap-model.js'

/**
 * Null when anything is in doubt, and for live processes, which move. The layout must be that of libc's own version,
 * found where its bins and the ring of arenas prove it, and then all that is read with it must add up to the byte: every
 * chunk of every arena from the first to top, the heaps and system_mem, sbrk_base and the main heap, the lists, the
 * tcache of every thread, and mp_'s count of mmapped chunks with those that are there.
 */
export async function readWhenSure(target: Target, progress?: HeapProgress): Promise<MallocState | null> {
  if (target.kind !== 'core') return null
  const found = await detectGlibc(target, null)
  if (!found || found.glibc.layoutFrom !== 'table' || found.anomalies.length > 0) return null
  const state = await readDetected(target, found, null, progress ? { progress } : {})
  return leavesNoDoubt(state.model) ? state : null
}

function leavesNoDoubt({ glibc, arenas, ringClosed, mmapped, ...rest }: HeapModel): boolean {
  const { anomalies, allCachesFound, totals } = rest
  const mmappedBytes = mmapped.found.reduce((sum, { bytes }) => sum + bytes, 0)
  return (
    glibc.mallocPar !== null &&
    ringClosed &&
    anomalies.length === 0 &&
    allCachesFound &&
    totals.liveBytes !== null &&
    arenas.every(({ complete }) => complete) &&
    mmapped.found.length === mmapped.count &&
    mmappedBytes === mmapped.bytes
  )
}
