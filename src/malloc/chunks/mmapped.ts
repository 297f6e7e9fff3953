// Chunks with a mapping of their own: no list leads to them, so they are looked for in anonymous memory.
import { type Address, offset } from '../../memory/address.js'
import type { Target } from '../../target/target.js'
import { type AnonymousStretch, anonymousMemory } from '../arenas/anonymous-memory.js'
import type { Arena } from '../heap-model.js'
import { type GlibcLayout, IS_MMAPPED } from '../layout.js'
import { BlockReader } from './block-reader.js'

/** One mapping that malloc made for one chunk. */
export interface MmappedChunk {
  readonly address: Address
  readonly bytes: number
}

/** What mp_ says there is; the search ends when it is found. */
export interface MmappedCounters {
  readonly count: number | null
  readonly bytes: number | null
}

/**
 * Finds mmapped chunks in anonymous writable memory outside the arenas' heaps and outside stacks: first where a
 * mapping begins or a chunk just found ends, then page by page until the counters are met.
 */
export function findMmappedChunks(
  target: Target,
  layout: GlibcLayout,
  arenas: readonly Pick<Arena, 'heaps'>[],
  counters: MmappedCounters,
): readonly MmappedChunk[] {
  if (counters.count === 0 || counters.count === null) return []
  const stretches = anonymousMemory(
    target,
    arenas.flatMap((arena) => arena.heaps),
    false,
  )
  const found: MmappedChunk[] = []
  const rest: AnonymousStretch[] = []
  for (const stretch of stretches) {
    const { chunks, stoppedAt } = chunksAtStart(target, layout, stretch)
    found.push(...chunks)
    if (stoppedAt < stretch.sizeBytes && stretch.mayScan) {
      const start = offset(stretch.start, stoppedAt)
      rest.push({ start, sizeBytes: stretch.sizeBytes - stoppedAt, mayScan: true })
    }
  }
  for (const stretch of rest) {
    if (met(found, counters)) break
    found.push(...chunksInside(target, layout, stretch))
  }
  return found.sort((a, b) => (a.address < b.address ? -1 : 1))
}

/** True when the chunks found at an earlier look are still where they were, and the counters say that they are all. */
export function areStillAll(
  target: Target,
  layout: GlibcLayout,
  found: readonly MmappedChunk[],
  counters: MmappedCounters,
): boolean {
  const isThere = ({ address: start, bytes }: MmappedChunk) =>
    mappingAt(new BlockReader(target.memory, start, bytes), 0, bytes, layout, target.pageBytes) === bytes
  return met(found, counters) && found.every(isThere)
}

function met(found: readonly MmappedChunk[], counters: MmappedCounters): boolean {
  return (
    found.length === counters.count && found.reduce((sum, chunk) => sum + chunk.bytes, 0) === counters.bytes
  )
}

// Chunks back to back from the start of a stretch.
function chunksAtStart(
  target: Target,
  layout: GlibcLayout,
  stretch: AnonymousStretch,
): { chunks: MmappedChunk[]; stoppedAt: number } {
  const reader = new BlockReader(target.memory, stretch.start, stretch.sizeBytes)
  const chunks: MmappedChunk[] = []
  let at = 0
  for (;;) {
    const bytes = mappingAt(reader, at, stretch.sizeBytes, layout, target.pageBytes)
    if (bytes === 0) return { chunks, stoppedAt: at }
    chunks.push({ address: offset(stretch.start, at), bytes })
    at += bytes
  }
}

function chunksInside(target: Target, layout: GlibcLayout, stretch: AnonymousStretch): MmappedChunk[] {
  const reader = new BlockReader(target.memory, stretch.start, stretch.sizeBytes)
  const chunks: MmappedChunk[] = []
  for (let at = 0; at < stretch.sizeBytes; ) {
    const bytes = mappingAt(reader, at, stretch.sizeBytes, layout, target.pageBytes)
    if (bytes > 0) chunks.push({ address: offset(stretch.start, at), bytes })
    at += bytes || target.pageBytes
  }
  return chunks
}

// Length of the mapping of an mmapped chunk that begins at `at`, or 0. The chunk's size word has flags exactly
// IS_MMAPPED and prev_size is its distance from the mapping's start: 0, or 8 on i386 since 2.26. The length is
// prev_size + size up to 2.42 and 2 words more since 2.43: only one of the two is whole pages.
function mappingAt(
  reader: BlockReader,
  at: number,
  limit: number,
  layout: GlibcLayout,
  pageBytes: number,
): number {
  const word = layout.wordBytes
  const lead = layout.chunkAlign - 2 * word
  const index = reader.seek(at + lead, 2 * word)
  if (index < 0) return 0
  const { words } = reader
  const sizeIndex = index + word / 4
  const previous = words[index]! & ~1
  if (previous !== lead || (word === 8 && words[index + 1] !== 0)) return 0
  const low = words[sizeIndex]!
  if ((low & 7) !== IS_MMAPPED) return 0
  const high = word === 8 ? words[sizeIndex + 1]! : 0
  const whole = lead + high * 0x1_0000_0000 + ((low & ~7) >>> 0)
  const length = whole % pageBytes === 0 ? whole : whole + 2 * word
  return length % pageBytes === 0 && length > 0 && at + length <= limit ? length : 0
}
