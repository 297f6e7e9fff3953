// Many arenas that use little of what they hold: threads multiplied malloc's reserves.
import { bytesText, percentText } from '../../format/sizes.js'
import { minorVersion } from '../../malloc/layout.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'

/** Fewer arenas than this are what any threaded program has. */
const LEAST_ARENAS = 8
/** Share of the arenas' system bytes in use, below which the rest is bloat. */
const LOW_USE_PERCENT = 50
const CRITICAL_USE_PERCENT = 25
/** Less free memory than this is not worth a restart. */
const LEAST_FREE_BYTES = 64 << 20
const CRITICAL_FREE_BYTES = 1 << 30
/** What MALLOC_ARENA_MAX is first tried with: enough for few threads to wait for each other, few enough to matter. */
const SUGGESTED_ARENAS = 8

export function arenaBloat({ heap, threads }: Facts): Finding | null {
  if (!heap) return null
  const count = heap.arenas.length
  const { systemBytes, inUseBytes, freeBytes } = heap.totals
  if (systemBytes === null || inUseBytes === null || freeBytes === null) return null
  if (count < LEAST_ARENAS || systemBytes === 0 || freeBytes < LEAST_FREE_BYTES) return null
  const usePercent = (100 * inUseBytes) / systemBytes
  if (usePercent >= LOW_USE_PERCENT) return null
  const critical = usePercent < CRITICAL_USE_PERCENT && freeBytes >= CRITICAL_FREE_BYTES
  const idle = heap.arenas.filter((arena) => arena.attachedThreads === 0).length
  return {
    rule: 'arena-bloat',
    severity: critical ? 'critical' : 'warning',
    title: `${count} arenas hold ${bytesText(systemBytes)} and use ${percentText(usePercent)} of it: ${bytesText(freeBytes)} is free memory that malloc keeps`,
    evidence: [
      { label: 'arenas', value: count, unit: 'count' },
      { label: 'threads', value: threads, unit: 'count' },
      { label: 'arenas without a thread', value: idle, unit: 'count' },
      { label: 'system bytes of all arenas', value: systemBytes, unit: 'bytes' },
      { label: 'in use', value: inUseBytes, unit: 'bytes' },
      { label: 'in use', value: Number(usePercent.toFixed(2)), unit: 'percent' },
      { label: 'free, kept by malloc', value: freeBytes, unit: 'bytes' },
    ],
    nextStep: `set MALLOC_ARENA_MAX=${SUGGESTED_ARENAS} in the program's environment and restart it; ${limitOf(heap.glibc.version)}, and threads do not share their arenas' free memory`,
  }
}

// arena_get2 in malloc/arena.c: 8 × CPUs on 64 bit up to 2.43, the number of CPUs (8 at least) from 2.44 on.
function limitOf(version: string | null): string {
  const minor = minorVersion(version)
  return minor !== null && minor >= 44
    ? 'the default limit is an arena per CPU, 8 at least'
    : 'the default limit is 8 arenas per CPU'
}
