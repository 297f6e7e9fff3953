// Damage between an arena's chunks, in sentences: where, what was found and expected, the likely cause, and what is lost.
import { bytesText, percentOf } from '../../format/sizes.js'
import { type Address, address, hex, offset } from '../../memory/address.js'
import type { PageCache } from '../../memory/page-cache.js'
import type { Segment } from '../chunks/segment.js'
import type { Anomaly } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { overwriteOf } from './overwrite.js'
import type { Gap } from './walk-damaged.js'

/** One segment and the places where its walk stopped. */
export interface BrokenWalk {
  readonly segment: Segment
  readonly gaps: readonly Gap[]
}

// Of an arena that is all damage the first places tell enough.
const MOST_TOLD = 20

/**
 * One anomaly `walk-stopped` for each damaged place of the arena at `arena` (the first of many), and one
 * `partly-walked` that says what share of its heaps was walked. `missingBytes` of its system bytes are in pieces that
 * were not found; they count as skipped.
 */
export function damageAnomalies(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  walks: readonly BrokenWalk[],
  missingBytes: number,
): { readonly anomalies: readonly Anomaly[]; readonly skippedBytes: number } {
  const anomalies: Anomaly[] = []
  let whole = missingBytes
  let skippedBytes = missingBytes
  let places = 0
  for (const { segment, gaps } of walks) {
    whole += segment.end - segment.first
    for (const gap of gaps) {
      skippedBytes += gap.until - gap.from
      if (gap.reason === 'foreign') continue
      places++
      if (places > MOST_TOLD) continue
      const at = offset(segment.origin, gap.at)
      const what = `chunk ${hex(at)} of arena ${hex(arena)}: ${gapText(memory, layout, segment, gap)}`
      anomalies.push({ at, code: 'walk-stopped', what })
    }
  }
  if (missingBytes > 0) {
    const what = `the main heap is in several pieces: those with ${missingBytes} of its bytes were not found`
    anomalies.push({ at: arena, code: 'heap-piece-missing', what })
  }
  const share = percentOf(whole - skippedBytes, whole)
  const many = places > MOST_TOLD ? ` around ${places} damaged places` : ''
  const what = `arena ${hex(arena)}: ${shareText(share)} of its heaps was walked${many}, ${bytesText(skippedBytes)} could not be told; what is live in it is unknown, what is free is by its lists`
  anomalies.push({ at: arena, code: 'partly-walked', what })
  return { anomalies, skippedBytes }
}

// Never rounded up to all of it.
function shareText(percent: number | null): string {
  return `${(Math.floor((percent ?? 0) * 10) / 10).toFixed(1)} %`
}

function gapText(memory: PageCache, layout: GlibcLayout, segment: Segment, gap: Gap): string {
  const found = foundText(memory, layout, segment, gap)
  const place = (at: number) => hex(segment.origin + BigInt(at))
  const rest =
    gap.until >= segment.end ? 'nothing behind it could be told' : `chunks go on at ${place(gap.until)}`
  return `${found}; ${gap.until - gap.from} bytes skipped, ${rest}`
}

function foundText(memory: PageCache, layout: GlibcLayout, segment: Segment, gap: Gap): string {
  const word = layout.wordBytes
  const field = address(segment.origin + BigInt(gap.at + word))
  const value = memory.word(field, word)
  if (gap.reason === 'unreadable' || value === null) {
    return `its header cannot be read: ${memory.fault(missing(memory, segment, gap, word)).message}`
  }
  const size = value & ~7n
  if (gap.reason === 'swallows') {
    return `its size field is ${hex(value)}, but a free chunk of a bin lies inside, expected a smaller size`
  }
  if (gap.reason === 'previous') {
    const behind = memory.word(segment.origin + BigInt(gap.at) + size, word)
    const says = behind === null ? 'cannot be read' : `is ${hex(behind)}`
    return `it is free with size ${hex(size)}, but prev_size behind it ${says}, expected ${hex(size)}`
  }
  const bounds = { least: 4 * word, most: segment.end - gap.at, align: layout.chunkAlign }
  const before = gap.previous < 0 ? null : segment.origin + BigInt(gap.previous)
  const { found, cause } = overwriteOf(value, word, before, bounds)
  const expected = `a multiple of ${bounds.align} from ${bounds.least} to ${bounds.most}`
  return `size field is ${found}${cause ? ` (${cause})` : ''}, expected ${expected}`
}

function missing(memory: PageCache, segment: Segment, gap: Gap, word: number): Address {
  const at = address(segment.origin + BigInt(gap.at))
  return offset(at, memory.read(at, new Uint8Array(2 * word)) % (2 * word))
}
