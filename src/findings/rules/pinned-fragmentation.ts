// Few live chunks hold many pages: free memory that no trim can return.
import { bytesText, countText, percentText } from '../../format/sizes.js'
import { CLASS_COUNT, classRange, SizeHistogram } from '../../malloc/chunks/size-classes.js'
import type { HeapModel } from '../../malloc/heap-model.js'
import type { Facts } from '../facts.js'
import type { Evidence, Finding } from '../finding.js'
import { defineRule, gradeBytes, isToldBy, type Rule } from '../rule.js'
import { residentBytes, residentOf } from '../sums.js'
import type { LimitsOf, Thresholds } from '../thresholds.js'

/** Size classes of live chunks that are named. */
const MOST_CLASSES = 3
/** Types, arenas, and threads of an arena that are named. */
const MOST_TYPES = 5
const MOST_ARENAS = 3
const MOST_THREADS = 3

const THRESHOLDS = {
  leastPinnedBytes: { value: 64 << 20, unit: 'bytes', meaning: 'less pinned memory is not told' },
  criticalPinnedBytes: { value: 1 << 30, unit: 'bytes', meaning: 'critical from here on' },
  leastSharePercent: {
    value: 50,
    unit: 'percent',
    meaning: "share of the arenas' resident bytes that is pinned, from which on it is told",
  },
} as const satisfies Thresholds

export const pinnedFragmentation: Rule = defineRule({
  name: 'pinned-fragmentation',
  thresholds: THRESHOLDS,
  check,
  explain: (limits) => ({
    measures:
      'free memory in pages that a live chunk shares, so that neither free() nor malloc_trim can return them',
    how: 'resident bytes of chunks in bins, without the whole pages inside them that malloc_trim gives back; which live chunks pin them is told by the size classes with most chunks in the arenas concerned, by what a sample of them begins with (with symbols), and by the threads that use these arenas',
    thresholds: [
      `${bytesText(limits.leastPinnedBytes)} or more pinned, and ${limits.leastSharePercent} % of what is resident of the arenas`,
      `critical from ${bytesText(limits.criticalPinnedBytes)} on; for information only where arena-bloat tells of it`,
    ],
    read: ['malloc_trim(3), NOTES', 'glibc manual: "The GNU Allocator"', 'mallopt(3): M_MMAP_THRESHOLD'],
  }),
})

function check(
  facts: Facts,
  earlier: readonly Finding[],
  limits: LimitsOf<typeof THRESHOLDS>,
): Finding | null {
  const { heap } = facts
  if (!heap) return null
  const pinned = residentOf(heap.arenas, 'pinnedBytes')
  const resident = residentBytes(heap.arenas)
  const live = residentOf(heap.arenas, 'liveBytes')
  if (pinned === null || resident === null || live === null || pinned < limits.leastPinnedBytes) return null
  const sharePercent = (100 * pinned) / resident
  if (sharePercent < limits.leastSharePercent) return null
  const classes = holders(heap)
  const top = classes[0]
  return {
    rule: pinnedFragmentation.name,
    severity: gradeBytes(pinned, limits.criticalPinnedBytes, isToldBy(earlier, 'arena-bloat')),
    title: `${bytesText(live)} of live chunks pin ${bytesText(pinned)} of free memory: ${percentText(sharePercent)} of the arenas' pages cannot be returned`,
    evidence: [
      { label: 'free, in pages that live chunks share', value: pinned, unit: 'bytes' },
      { label: 'of what is resident of the arenas', value: Number(sharePercent.toFixed(1)), unit: 'percent' },
      { label: 'live chunks', value: heap.totals.usedChunks, unit: 'count' },
      { label: 'live, resident', value: live, unit: 'bytes' },
      ...classes.map(
        ({ name, chunks, bytes }): Evidence => ({
          label: `live chunks of ${name}`,
          value: `${countText(chunks)} with ${bytesText(bytes)}`,
          unit: 'text',
        }),
      ),
      ...typesOf(facts),
      ...arenasOf(heap),
    ],
    nextStep: `find who keeps the small chunks that stay${top ? ` (arena-inspect chunks --used --min ${top.min} --max ${top.max})` : ''} and allocate them apart from what comes and goes: earlier, or from a pool; malloc_trim cannot help here`,
    why: 'long-lived chunks were allocated between short-lived ones: each keeps its whole page',
  }
}

// By symbols, of a sample.
function typesOf({ liveTypes }: Facts): readonly Evidence[] {
  if (!liveTypes) return []
  const { sampledChunks, types } = liveTypes
  return types.slice(0, MOST_TYPES).map(({ name, chunks }) => ({
    label: `live chunks that begin with ${name}`,
    value: `${countText(chunks)} of ${countText(sampledChunks)} sampled, ${percentText((100 * chunks) / sampledChunks)}`,
    unit: 'text',
  }))
}

// Where most is pinned, and whose arenas these are.
function arenasOf(heap: HeapModel): readonly Evidence[] {
  return [...heap.arenas]
    .filter(({ resident }) => (resident?.pinnedBytes ?? 0) > 0)
    .sort((a, b) => b.resident!.pinnedBytes - a.resident!.pinnedBytes)
    .slice(0, MOST_ARENAS)
    .map(({ index, address, resident }) => {
      const threads = heap.threads.filter(({ arena }) => arena === address)
      const names = threads.slice(0, MOST_THREADS).map(({ tid, name }) => `${name ?? '?'} (${tid})`)
      const more = threads.length > names.length ? ` and ${threads.length - names.length} more` : ''
      const whose = names.length === 0 ? 'no thread of today' : names.join(', ') + more
      return {
        label: `pinned in ${index === 0 ? 'main_arena' : `arena ${index}`}`,
        value: `${bytesText(resident!.pinnedBytes)}, used by ${whose}`,
        unit: 'text',
      }
    })
}

function holders(
  heap: HeapModel,
): { name: string; min: number; max: number; chunks: number; bytes: number }[] {
  const live = new SizeHistogram()
  for (const { sizes, resident } of heap.arenas)
    if (sizes && resident && resident.pinnedBytes > 0) live.addAll(sizes.live)
  return Array.from({ length: CLASS_COUNT }, (_, index) => {
    const { min, max } = classRange(index)
    return {
      name: `${min} to ${max - 1} bytes`,
      min,
      max: max - 1,
      chunks: live.chunks[index]!,
      bytes: live.bytes[index]!,
    }
  })
    .filter(({ chunks }) => chunks > 0)
    .sort((a, b) => b.chunks - a.chunks)
    .slice(0, MOST_CLASSES)
}
