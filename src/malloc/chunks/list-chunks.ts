// Every chunk of a heap with its state, as batches of columns: ten million chunks do not need ten million objects.
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { segmentsOf } from '../arenas/segments.js'
import { walkDamaged } from '../damage/walk-damaged.js'
import type { HeapModel } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { lowerBound } from '../lower-bound.js'
import { type ChunkLists, cachedChunks, chunkLists } from './chunk-lists.js'
import type { Segment } from './segment.js'
import { type ChunkKind, type WalkOptions, walkSegment } from './walk.js'

/** What a chunk is. `unsorted` and `binned` are free in glibc's bins; `fastbin` and `tcache` only look in use. */
export const CHUNK_STATES = [
  'live',
  'tcache',
  'fastbin',
  'unsorted',
  'binned',
  'top',
  'fencepost',
  'mmapped',
] as const

export type ChunkState = (typeof CHUNK_STATES)[number]

/** Rows 0 … count−1 of parallel columns. */
export interface ChunkBatch {
  readonly count: number
  readonly addresses: BigUint64Array
  /** Chunk sizes in bytes, headers included. */
  readonly sizes: Float64Array
  /** Indexes into CHUNK_STATES. */
  readonly states: Uint8Array
  /** Ring positions of the arenas; −1 for mmapped chunks, which belong to none. */
  readonly arenas: Int32Array
}

/** Which chunks are wanted; absent: all. */
export interface ChunkFilter {
  /** A ring position; −1: the mmapped chunks only. */
  readonly arena?: number
  readonly states?: ReadonlySet<ChunkState>
  /** Least and largest chunk size in bytes. */
  readonly minBytes?: number
  readonly maxBytes?: number
}

const BATCH_ROWS = 1 << 16
// A segment's last fenceposts come together, after the last question whether a batch is full.
const ROOM = 4
const STATE = Object.fromEntries(CHUNK_STATES.map((state, index) => [state, index])) as Record<
  ChunkState,
  number
>

/**
 * Chunks in the order of arenas and addresses, mmapped ones last. Around damage of an arena chunks are missing
 * (`skippedBytes`); the model's anomalies name the places. A batch is valid until the next one is asked for.
 */
export function* listChunks(
  memory: MemorySource,
  layout: GlibcLayout,
  model: HeapModel,
  filter: ChunkFilter = {},
): Generator<ChunkBatch> {
  const rows = new Rows(filter)
  const cached = cachedChunks(model)
  for (const arena of model.arenas) {
    if (filter.arena !== undefined && filter.arena !== arena.index) continue
    const lists = chunkLists(memory, layout, arena, cached)
    const place = { ...arena, top: arena.top ?? arena.address }
    for (const segment of arena.top === null ? [] : segmentsOf(place, layout)) {
      yield* segmentBatches(walkerOf(memory, layout, segment, lists), segment, arena.index, lists, rows)
    }
  }
  for (const { address, bytes } of (filter.arena ?? -1) === -1 ? model.mmapped.found : []) {
    rows.add(address, bytes, STATE.mmapped, -1)
    if (rows.isFull) yield rows.take()
  }
  if (rows.count > 0) yield rows.take()
}

/** Walks a segment from a chunk on; true when the visitor had seen enough. */
type Walker = (options: WalkOptions) => boolean

function walkerOf(
  memory: MemorySource,
  layout: GlibcLayout,
  segment: Segment,
  { nodes }: ChunkLists,
): Walker {
  if (nodes) {
    const cache = new PageCache(memory)
    return (options) => walkDamaged(cache, segment, layout, nodes, options).ended === 'visitor'
  }
  const { wordBytes, chunkAlign } = layout
  return (options) => walkSegment(memory, segment, wordBytes, chunkAlign, options).ended === 'visitor'
}

function* segmentBatches(
  walk: Walker,
  segment: Segment,
  arena: number,
  lists: ChunkLists,
  rows: Rows,
): Generator<ChunkBatch> {
  const origin = BigInt(segment.origin)
  const tcache = new Cursor(lists.tcache, origin)
  const fastbin = new Cursor(lists.fastbin, origin)
  const unsorted = new Cursor(lists.unsorted, origin)
  const stateOf = (at: number, kind: ChunkKind): number => {
    if (kind === 'top') return STATE.top
    if (kind === 'fencepost') return STATE.fencepost
    if (kind === 'free') return unsorted.holds(at) ? STATE.unsorted : STATE.binned
    return tcache.holds(at) ? STATE.tcache : fastbin.holds(at) ? STATE.fastbin : STATE.live
  }
  let from = segment.first
  for (;;) {
    const visit = (at: number, size: number, kind: ChunkKind): boolean => {
      rows.add(origin + BigInt(at), size, stateOf(at, kind), arena)
      from = at + size
      return rows.isFull
    }
    if (!walk({ from, visit })) return
    yield rows.take()
  }
}

// Rising offsets are looked up in a sorted column, which is passed once.
class Cursor {
  #next: number
  #offset: number

  constructor(
    readonly addresses: BigUint64Array,
    readonly origin: bigint,
  ) {
    this.#next = lowerBound(addresses, origin)
    this.#offset = this.#load()
  }

  holds(at: number): boolean {
    while (this.#offset < at) {
      this.#next++
      this.#offset = this.#load()
    }
    return this.#offset === at
  }

  #load(): number {
    return this.#next < this.addresses.length
      ? Number(this.addresses[this.#next]! - this.origin)
      : Number.POSITIVE_INFINITY
  }
}

class Rows {
  readonly addresses = new BigUint64Array(BATCH_ROWS + ROOM)
  readonly sizes = new Float64Array(BATCH_ROWS + ROOM)
  readonly states = new Uint8Array(BATCH_ROWS + ROOM)
  readonly arenas = new Int32Array(BATCH_ROWS + ROOM)
  count = 0
  readonly #least: number
  readonly #most: number
  readonly #wanted: Uint8Array

  constructor(filter: ChunkFilter) {
    this.#least = filter.minBytes ?? 0
    this.#most = filter.maxBytes ?? Number.POSITIVE_INFINITY
    this.#wanted = Uint8Array.from(CHUNK_STATES, (state) => ((filter.states?.has(state) ?? true) ? 1 : 0))
  }

  get isFull(): boolean {
    return this.count >= BATCH_ROWS
  }

  add(address: bigint, size: number, state: number, arena: number): void {
    if (size < this.#least || size > this.#most || !this.#wanted[state]) return
    this.addresses[this.count] = address
    this.sizes[this.count] = size
    this.states[this.count] = state
    this.arenas[this.count] = arena
    this.count++
  }

  take(): ChunkBatch {
    const { count, addresses, sizes, states, arenas } = this
    this.count = 0
    return { count, addresses, sizes, states, arenas }
  }
}
