// The walk of a segment that holds damage: checked at every chunk, and taken up again behind each damaged place.
import type { PageCache } from '../../memory/page-cache.js'
import type { Segment } from '../chunks/segment.js'
import { type ChunkVisitor, countChunk, type WalkEnd, type WalkOptions, walkSegment } from '../chunks/walk.js'
import type { GlibcLayout } from '../layout.js'
import { behindPage, Resync } from './resync.js'

/**
 * Why a walk could not go on. `size`: an impossible size; `swallows`: a chunk that a bin names lies inside;
 * `previous`: a free chunk whose size is not the prev_size behind it; `unreadable`: its header cannot be read;
 * `foreign`: no damage, but memory between two pieces of the main heap.
 */
export type GapReason = 'size' | 'swallows' | 'previous' | 'unreadable' | 'foreign'

/** Bytes of a segment of which no chunk can be told, as offsets. */
export interface Gap {
  readonly from: number
  /** Of the next provable chunk; the segment's end when there is none. */
  readonly until: number
  readonly reason: GapReason
  /** The header that stopped the walk. */
  readonly at: number
  /** The chunk before it; −1 when there was none. */
  readonly previous: number
}

export interface DamagedWalk {
  readonly gaps: readonly Gap[]
  readonly skippedBytes: number
  /** `visitor`: it had seen enough. */
  readonly ended: 'whole' | 'visitor'
}

// A segment with more damaged places than this is not worth going on with.
const MOST_GAPS = 4096

/**
 * Walks `segment` from `from` to its end as walkSegment does, with the same tally and visitor, but goes on behind
 * damage. `nodes`: the chunks that the arena's bins name, rising (`listNodes`).
 */
export function walkDamaged(
  memory: PageCache,
  segment: Segment,
  layout: GlibcLayout,
  nodes: BigUint64Array,
  options: WalkOptions = {},
): DamagedWalk {
  const resync = new Resync(memory, segment, layout, nodes)
  const gaps: Gap[] = []
  const done = (ended: DamagedWalk['ended']): DamagedWalk => ({
    gaps,
    skippedBytes: gaps.reduce((sum, gap) => sum + gap.until - gap.from, 0),
    ended,
  })
  let from = options.from ?? segment.first
  while (from < segment.end) {
    const stretch = walkChecked(memory, segment, layout, resync, from, options)
    if (stretch.ended === 'visitor') return done('visitor')
    const { at, previous, reason } = stretch
    if (reason === null) return done('whole')
    // Of the chunk before a header that cannot be read it is not known whether it is free.
    const start = reason === 'unreadable' && previous >= 0 ? previous : at
    const search = reason === 'unreadable' ? behindPage(segment, at) : reason === 'foreign' ? at : at + 1
    // Behind a broken top is only what was there before it.
    const next = gaps.length < MOST_GAPS && at !== segment.top ? resync.next(at, search) : null
    gaps.push({ from: start, until: next ?? segment.end, reason, at, previous })
    if (next === null) break
    from = next
  }
  return done('whole')
}

interface Stretch {
  readonly ended: WalkEnd
  /** Null: the stretch ended properly. */
  readonly reason: GapReason | null
  readonly at: number
  readonly previous: number
}

// One stretch of sound chunks from `from`.
function walkChecked(
  memory: PageCache,
  segment: Segment,
  layout: GlibcLayout,
  resync: Resync,
  from: number,
  { tally, visit }: WalkOptions,
): Stretch {
  let refuted: { at: number; previous: number; reason: GapReason } | null = null
  let before = -1
  const check: ChunkVisitor = (at, size, kind) => {
    if (kind !== 'top') {
      const wrong = kind === 'free' && resync.previousSize(at + size) !== size
      if (wrong || resync.holdsNode(at, at + size)) {
        refuted = { at, previous: before, reason: wrong ? 'previous' : 'swallows' }
        return true
      }
    }
    before = at
    if (tally && kind === 'top') tally.topBytes += size
    else if (tally) countChunk(tally, segment, at, size, kind)
    return visit?.(at, size, kind) ?? false
  }
  const walk = walkSegment(memory.source, segment, layout.wordBytes, layout.chunkAlign, {
    from,
    visit: check,
  })
  if (refuted) return { ended: 'size', ...(refuted as { at: number; previous: number; reason: GapReason }) }
  const { ended, stoppedAt: at, previous } = walk
  const behindFence = ended === 'fencepost' && segment.isMain && at < segment.end
  const reason = behindFence ? 'foreign' : ended === 'size' || ended === 'unreadable' ? ended : null
  return { ended, reason, at, previous }
}
