// How many arenas glibc makes, and how many would do: by version, CPUs and what the process was told.

import type { HeapModel } from '../malloc/heap-model.js'
import { minorVersion } from '../malloc/layout.js'
import type { Facts } from './facts.js'
import { nonMain } from './sums.js'

/** HEAP_MAX_SIZE on 32 bit. */
const HEAP_BYTES_32 = 2 ** 20
/** Fewer than this is never recommended: with one arena all threads wait for each other. */
const LEAST_RECOMMENDED = 2
/** A recommendation leaves at most one arena of so many, or it would change little. */
const LEAST_CUT = 4

/** CPUs that the process can keep busy, and what says so; null where unknown (a core). */
export function usableCpus({ surroundings }: Facts): { readonly cpus: number; readonly by: string } | null {
  if (!surroundings) return null
  const { onlineCpus, allowedCpus, quotaCpus } = surroundings
  const candidates = [
    { cpus: quotaCpus === null ? null : Math.ceil(quotaCpus), by: 'CPU quota' },
    { cpus: allowedCpus, by: 'CPUs allowed' },
    { cpus: onlineCpus, by: 'CPUs online' },
  ].filter((one): one is { cpus: number; by: string } => one.cpus !== null && one.cpus > 0)
  return candidates.sort((a, b) => a.cpus - b.cpus)[0] ?? null
}

/** Arenas for each CPU up to glibc 2.43. */
function perCpu(heap: HeapModel): number {
  const heaps = nonMain(heap).flatMap((arena) => arena.heaps)
  return heaps.length > 0 && heaps.every(({ reservedBytes }) => reservedBytes <= HEAP_BYTES_32) ? 2 : 8
}

/**
 * The limit in a sentence. arena_get2 in malloc/arena.c: 8 × CPUs on 64 bit (2 × on 32 bit) up to 2.43; from 2.44 the
 * number of CPUs, arena_test (8) at least. It counts online CPUs; 2.34 to 2.38 as first released counted those allowed.
 */
export function limitText({ heap, surroundings }: Facts): string {
  if (!heap) return 'the limit is unknown'
  const set = heap.parameters?.arenaMax
  if (set) return `M_ARENA_MAX is set to ${set} here`
  const minor = minorVersion(heap.glibc.version)
  if (minor !== null && minor >= 44) return 'the default limit is an arena per CPU, 8 at least'
  const times = perCpu(heap)
  const online = surroundings?.onlineCpus ?? null
  const counted = online === null ? '' : `, ${times * online} for the ${online} that are online`
  return `the default limit is ${times} arenas per CPU${counted}`
}

/** Arenas that the default limit allows for `cpus` CPUs. */
export function defaultLimit(heap: HeapModel, cpus: number): number {
  const minor = minorVersion(heap.glibc.version)
  return minor !== null && minor >= 44 ? Math.max(cpus, 8) : perCpu(heap) * cpus
}

/** Which CPUs that glibc counts, in words. */
export function countedCpus(heap: HeapModel): string {
  const minor = minorVersion(heap.glibc.version)
  return minor !== null && minor >= 34 && minor <= 38
    ? 'the CPUs that are online, whatever quota or CPU set it runs in (2.34 to 2.38 as first released: those allowed)'
    : 'the CPUs that are online, whatever quota or CPU set it runs in'
}

/**
 * M_ARENA_MAX for the target, and how it was chosen: an arena for each CPU that the process can use, so that as many
 * threads as can run at once find an unlocked one. On a core CPUs are unknown: the arenas at the limit tell them.
 */
export function recommendedArenas(facts: Facts): { readonly arenas: number; readonly because: string } {
  const count = facts.heap?.arenas.length ?? 0
  const most = Math.max(LEAST_RECOMMENDED, Math.floor(count / LEAST_CUT))
  const usable = usableCpus(facts)
  const perOne = facts.heap ? perCpu(facts.heap) : 8
  const wanted = usable?.cpus ?? Math.ceil(count / perOne)
  const arenas = Math.min(most, Math.max(LEAST_RECOMMENDED, wanted))
  const from = usable
    ? `${usable.cpus} ${usable.by}`
    : `the CPUs are unknown here, and ${count} arenas are the default limit of ${wanted} or more`
  const bound =
    arenas === wanted
      ? 'an arena for each'
      : arenas === LEAST_RECOMMENDED
        ? `${LEAST_RECOMMENDED} at least, so that not all threads wait for one lock`
        : `a ${LEAST_CUT}th of today's ${count} arenas at most`
  return { arenas, because: `${from}: ${bound}` }
}
