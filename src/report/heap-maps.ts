// What each of malloc's heaps holds by use, and the largest heaps as cells: what pictures of heaps are drawn from.
import type { ChunkBatch, ChunkFilter } from '../malloc/chunks/list-chunks.js'
import { HeapPages, type UseBytes } from './heap-pages.js'
import type { Report, ReportArena } from './report.js'

/** Heaps that are told cell by cell, and the most cells of one. */
const MOST_MAPS = 12
const MOST_CELLS = 2048
/** Chunks that are listed at all, from the largest arenas on: some seconds' worth. */
const MOST_CHUNKS = 40_000_000
/** Where an arena's chunks were not counted. */
const ASSUMED_CHUNK_BYTES = 64

/** Parallel columns, a row a cell; what is in none of the first four is headers, fenceposts, or damage. */
export interface HeapCells {
  readonly cellBytes: number
  readonly live: readonly number[]
  /** In tcaches and fastbins. */
  readonly cached: readonly number[]
  readonly free: readonly number[]
  readonly top: readonly number[]
  /** Chunks that begin in the cell. */
  readonly chunks: readonly number[]
}

export interface HeapMap {
  /** Ring position of its arena, and which of the arena's heaps it is. */
  readonly arena: number
  readonly heap: number
  readonly address: string
  readonly sizeBytes: number
  /** Of the whole heap; they sum to sizeBytes. */
  readonly uses: UseBytes
  readonly chunks: number
  /** Null of all but the largest heaps. */
  readonly cells: HeapCells | null
}

/** What can list the chunks of a report: a session, or what was saved of one. */
export interface ChunkLister {
  readonly report: Report
  chunkBatches(filter: ChunkFilter): Iterable<ChunkBatch>
}

/**
 * Maps of the report's heaps, arena by arena. Those of small arenas are missing where there are too many chunks to list.
 * Of a live process, chunks are of the moment of this call. The answer depends on report and chunks alone.
 */
export function heapMaps(lister: ChunkLister): readonly HeapMap[] {
  const arenas = lister.report.heap?.arenas ?? []
  const largest = new Set(
    arenas
      .flatMap((arena) => arena.heaps)
      .sort((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, MOST_MAPS),
  )
  const chosen = listed(arenas)
  const heaps = chosen.flatMap(({ index, heaps }) =>
    heaps.map((heap, number) => {
      const isMapped = largest.has(heap)
      const pages = new HeapPages(
        heap.address,
        BigInt(heap.address),
        heap.sizeBytes,
        isMapped ? MOST_CELLS : 1,
      )
      return { arena: index, number, heap, pages, isMapped }
    }),
  )
  const sorted = heaps.map(({ pages }) => pages).sort((a, b) => (a.start < b.start ? -1 : 1))
  // One listing of all costs less than one for each arena.
  const filters = chosen.length === arenas.length ? [{}] : chosen.map(({ index }) => ({ arena: index }))
  for (const filter of chosen.length === 0 ? [] : filters) {
    for (const batch of lister.chunkBatches(filter)) addRuns(sorted, batch)
  }
  return heaps.map(({ arena, number, heap, pages, isMapped }) => ({
    arena,
    heap: number,
    ...heap,
    uses: pages.uses(0, heap.sizeBytes),
    chunks: pages.chunks(0, heap.sizeBytes),
    cells: isMapped ? cellsOf(pages) : null,
  }))
}

// The largest arenas, as many as have no more than MOST_CHUNKS chunks together; in the order of the ring.
function listed(arenas: readonly ReportArena[]): readonly ReportArena[] {
  const chosen = new Set<ReportArena>()
  let chunks = 0
  for (const arena of [...arenas].sort((a, b) => sizeOf(b) - sizeOf(a))) {
    chunks += chunksIn(arena)
    if (chunks > MOST_CHUNKS && chosen.size > 0) break
    chosen.add(arena)
  }
  return arenas.filter((arena) => chosen.has(arena))
}

function sizeOf({ heaps }: ReportArena): number {
  return heaps.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

function chunksIn(arena: ReportArena): number {
  const { usedChunks, tcacheChunks, freeChunks } = arena
  return usedChunks === null || tcacheChunks === null || freeChunks === null
    ? sizeOf(arena) / ASSUMED_CHUNK_BYTES
    : usedChunks + tcacheChunks + freeChunks
}

// Chunks come in runs of one heap; each run is handed to its heap, so that many heaps cost no more than one.
function addRuns(sorted: readonly HeapPages[], batch: ChunkBatch): void {
  const halves = new Uint32Array(batch.addresses.buffer, batch.addresses.byteOffset, batch.count * 2)
  const starts = sorted.map(({ start }) => Number(start))
  let heap = -1
  let first = 0
  for (let row = 0; row < batch.count; row++) {
    const at = halves[2 * row + 1]! * 0x1_0000_0000 + halves[2 * row]!
    if (heap >= 0 && at >= starts[heap]! && at < starts[heap]! + sorted[heap]!.sizeBytes) continue
    if (heap >= 0) sorted[heap]!.add(batch, first, row)
    heap = starts.length - 1
    while (heap >= 0 && starts[heap]! > at) heap--
    first = row
  }
  if (heap >= 0) sorted[heap]!.add(batch, first, batch.count)
}

function cellsOf(pages: HeapPages): HeapCells {
  const { cellBytes } = pages
  const cells = { live: [] as number[], cached: [] as number[], free: [] as number[], top: [] as number[] }
  const chunks: number[] = []
  for (let from = 0; from < pages.sizeBytes; from += cellBytes) {
    const uses = pages.uses(from, from + cellBytes)
    for (const use of ['live', 'cached', 'free', 'top'] as const) cells[use].push(uses[use])
    chunks.push(pages.chunks(from, from + cellBytes))
  }
  return { cellBytes, ...cells, chunks }
}
