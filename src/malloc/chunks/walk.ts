// The linear walk of the chunks of one segment: header after header, from the first chunk to top or to a fencepost.
import type { MemorySource } from '../../memory/memory-source.js'
import { IS_MMAPPED, PREV_INUSE, type WordBytes } from '../layout.js'
import { BlockReader } from './block-reader.js'
import type { Segment } from './segment.js'
import { classOf } from './size-classes.js'
import { MOST_WATCHED, type Tally } from './tally.js'

/**
 * How a walk ended. `top` and `fencepost` are the two proper ends. `size`: an impossible size at `stoppedAt`;
 * `unreadable`: its header could not be read. `visitor`: the visitor had seen enough.
 */
export type WalkEnd = 'top' | 'fencepost' | 'size' | 'unreadable' | 'visitor'

export interface WalkResult {
  readonly ended: WalkEnd
  /** Offset of the last header looked at; behind the fenceposts after `fencepost`. */
  readonly stoppedAt: number
  /** Offset of the chunk before that header, −1 when the walk began there. */
  readonly previous: number
}

/** As the walk tells chunks apart: `used` includes fastbin and tcache chunks, which look in use. */
export type ChunkKind = 'used' | 'free' | 'top' | 'fencepost'

/** Called for each chunk with its offset and size, in order of address; true ends the walk. */
export type ChunkVisitor = (at: number, size: number, kind: ChunkKind) => boolean

/** What a walk does besides walking. */
export interface WalkOptions {
  readonly tally?: Tally
  readonly visit?: ChunkVisitor
  /** Offset of a known chunk to start at; default: the segment's first. */
  readonly from?: number
}

/**
 * Walks one segment. In use is told as glibc does, by PREV_INUSE of the next chunk. On damage the tally holds what
 * was walked up to it.
 */
export function walkSegment(
  memory: MemorySource,
  segment: Segment,
  word: WordBytes,
  align: number,
  options: WalkOptions = {},
): WalkResult {
  const reader = new BlockReader(memory, segment.origin, segment.end)
  const { words } = reader
  const { top, end, isMain } = segment
  const { tally, visit } = options
  const minSize = 4 * word
  const sizeAt = word / 4
  const headerBytes = 2 * word
  const wide = word === 8
  tally?.pages?.begin(segment)
  let at = options.from ?? segment.first
  let pending = -1
  let pendingSize = 0
  for (;;) {
    if (at + headerBytes > end) return { ended: 'size', stoppedAt: at, previous: pending }
    const index = reader.seek(at, headerBytes)
    if (index < 0) return { ended: 'unreadable', stoppedAt: at, previous: pending }
    const low = words[index + sizeAt]!
    const high = wide ? words[index + 3]! : 0
    const size = high * 0x1_0000_0000 + ((low & ~7) >>> 0)
    if (pending >= 0) {
      const used = (low & PREV_INUSE) !== 0
      // The chunk before a heap's closing size-0 word is itself a fencepost, whatever its size (sysmalloc).
      const kind = size === 0 ? 'fencepost' : used ? 'used' : 'free'
      if (tally) countChunk(tally, segment, pending, pendingSize, kind)
      if (visit?.(pending, pendingSize, kind)) return { ended: 'visitor', stoppedAt: at, previous: pending }
    }
    if (at === top) {
      if (size < minSize || at + size > end) return { ended: 'size', stoppedAt: at, previous: pending }
      if (tally) {
        tally.topBytes += size
        tally.pages?.top(at, size)
        tally.fenceBytes += end - at - size
      }
      visit?.(at, size, 'top')
      return { ended: 'top', stoppedAt: at, previous: pending }
    }
    if (size === 0) {
      // Closing fencepost: a size word of exactly PREV_INUSE within the last chunk's room of a heap without top.
      if (low !== PREV_INUSE || top >= 0 || isMain || end - at > headerBytes + align) {
        return { ended: 'size', stoppedAt: at, previous: pending }
      }
      if (tally) tally.fenceBytes += end - at
      visit?.(at, end - at, 'fencepost')
      return { ended: 'fencepost', stoppedAt: end, previous: pending }
    }
    if (size === headerBytes && isMain) {
      return { ...closeMainSegment(reader, at, headerBytes, options), previous: pending }
    }
    const fence = size === headerBytes && !isMain && end - at <= 2 * headerBytes + align
    const proper = fence || (size >= minSize && size % align === 0)
    if (!proper || (low & IS_MMAPPED) !== 0 || at + size > end) {
      return { ended: 'size', stoppedAt: at, previous: pending }
    }
    pending = at
    pendingSize = size
    at += size
  }
}

// main_arena leaves two fenceposts of two words each where its next piece of memory did not follow on.
function closeMainSegment(
  reader: BlockReader,
  at: number,
  headerBytes: number,
  { tally, visit }: WalkOptions,
): Omit<WalkResult, 'previous'> {
  const second = at + headerBytes
  const index = reader.seek(second, headerBytes)
  const size = index < 0 ? 0 : reader.words[index + headerBytes / 8]! & ~7
  if (size !== headerBytes) return { ended: 'size', stoppedAt: at }
  if (tally) tally.fenceBytes += 2 * headerBytes
  visit?.(at, headerBytes, 'fencepost')
  visit?.(second, headerBytes, 'fencepost')
  return { ended: 'fencepost', stoppedAt: second + headerBytes }
}

/** Adds one chunk, which is not top, to a tally. */
export function countChunk(tally: Tally, segment: Segment, at: number, size: number, kind: ChunkKind): void {
  if (kind === 'used') {
    const index = classOf(size)
    tally.usedChunks++
    tally.usedBytes += size
    tally.used.chunks[index]!++
    tally.used.bytes[index]! += size
    if (tally.pages !== null && at + size > tally.pages.next) tally.pages.used(at, size)
    if (tally.watchedBytes.has(size) && tally.watched.length < MOST_WATCHED) {
      tally.watched.push(segment.origin + BigInt(at))
    }
  } else if (kind === 'free') {
    const index = classOf(size)
    tally.freeChunks++
    tally.freeBytes += size
    tally.pages?.free(at, size)
    if (size > tally.largestFreeBytes) tally.largestFreeBytes = size
    tally.free.chunks[index]!++
    tally.free.bytes[index]! += size
  } else tally.fenceBytes += size
}
