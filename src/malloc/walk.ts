// The linear walk of the chunks of one heap: header after header, from the first chunk to top or to the fencepost.

import type { Address } from '../memory/address.js'
import type { MemorySource } from '../memory/memory-source.js'
import { BlockReader } from './block-reader.js'
import { IS_MMAPPED, PREV_INUSE, type WordBytes } from './layout.js'

/** A run of chunks: [first, end) as offsets from `origin`, with `top` at an offset or −1 when it is elsewhere. */
export interface Segment {
  readonly origin: Address
  readonly first: number
  readonly end: number
  readonly top: number
}

/**
 * How a walk ended. `top` and `fencepost` are the two proper ends. `size`: an impossible size at `stoppedAt`;
 * `unreadable`: its header could not be read. `visitor`: the visitor had seen enough.
 */
export type WalkEnd = 'top' | 'fencepost' | 'size' | 'unreadable' | 'visitor'

export interface WalkResult {
  readonly ended: WalkEnd
  /** Offset of the last header looked at. */
  readonly stoppedAt: number
  /** Chunks whose successor says that they are free: those in bins (neither fastbin nor tcache chunks, nor top). */
  readonly freeChunks: number
  readonly freeBytes: number
  /** Size of top, 0 when the walk did not meet it. */
  readonly topBytes: number
}

/** As the walk tells chunks apart: `used` includes fastbin and tcache chunks, which look in use. */
export type ChunkKind = 'used' | 'free' | 'top' | 'fencepost'

/** Called for each chunk with its offset and size, in order of address; true ends the walk. */
export type ChunkVisitor = (at: number, size: number, kind: ChunkKind) => boolean

/**
 * Walks one segment. In use is told as glibc does, by PREV_INUSE of the next chunk. `from`, an offset of a
 * known chunk, starts in the middle; its own state is reported too.
 */
export function walkSegment(
  memory: MemorySource,
  segment: Segment,
  word: WordBytes,
  align: number,
  visit: ChunkVisitor | null = null,
  from = segment.first,
): WalkResult {
  const reader = new BlockReader(memory, segment.origin, segment.end)
  const { words } = reader
  const { top, end } = segment
  const minSize = 4 * word
  const sizeAt = word / 4
  const headerBytes = 2 * word
  const wide = word === 8
  let at = from
  let pending = -1
  let pendingSize = 0
  let freeChunks = 0
  let freeBytes = 0
  const result = (ended: WalkEnd, topBytes = 0): WalkResult => ({
    ended,
    stoppedAt: at,
    freeChunks,
    freeBytes,
    topBytes,
  })
  for (;;) {
    if (at + headerBytes > end) return result('size')
    const index = reader.seek(at, headerBytes)
    if (index < 0) return result('unreadable')
    const low = words[index + sizeAt]!
    const high = wide ? words[index + 3]! : 0
    const size = high * 0x1_0000_0000 + ((low & ~7) >>> 0)
    if (pending >= 0) {
      const used = (low & PREV_INUSE) !== 0
      if (!used) {
        freeChunks++
        freeBytes += pendingSize
      }
      // The chunk before the closing size-0 word is itself a fencepost, whatever its size (sysmalloc).
      const kind = size === 0 ? 'fencepost' : used ? 'used' : 'free'
      if (visit?.(pending, pendingSize, kind)) return result('visitor')
    }
    if (at === top) {
      if (size < minSize || at + size > end) return result('size')
      visit?.(at, size, 'top')
      return result('top', size)
    }
    if (size === 0) {
      // Closing fencepost: a size word of exactly PREV_INUSE within the last chunk's room of a heap without top.
      if (low !== PREV_INUSE || top >= 0 || end - at > headerBytes + align) return result('size')
      visit?.(at, end - at, 'fencepost')
      return result('fencepost')
    }
    const fence = size === headerBytes && end - at <= 2 * headerBytes + align
    const proper = fence || (size >= minSize && size % align === 0)
    if (!proper || (low & IS_MMAPPED) !== 0 || at + size > end) return result('size')
    pending = at
    pendingSize = size
    at += size
  }
}
