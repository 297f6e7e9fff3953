// One opened target and its current report: what an interactive view holds.
import type { ChunkLink } from '../malloc/chunks/chunk-facts.js'
import type { ChunkBatch, ChunkFilter } from '../malloc/chunks/list-chunks.js'
import type { Piece } from '../maps/categorize.js'
import type { Address } from '../memory/address.js'
import type { SearchStep } from '../memory/search.js'
import type { Report } from '../report/report.js'

export type { ChunkLink } from '../malloc/chunks/chunk-facts.js'
export {
  CHUNK_STATES,
  type ChunkBatch,
  type ChunkFilter,
  type ChunkState,
} from '../malloc/chunks/list-chunks.js'
export type { SearchStep } from '../memory/search.js'

/** A stretch of target memory as it could be read. */
export interface MemoryRead {
  readonly start: Address
  /** Bytes asked for; only those with `known[i] === 1` are real. */
  readonly bytes: Uint8Array
  readonly known: Uint8Array
  /** Why the first unknown byte is unknown; null when all are known. */
  readonly fault: string | null
}

/** One malloc chunk that overlaps a stretch of memory. */
export interface ChunkMark {
  readonly address: Address
  readonly sizeBytes: number
  /** `used` includes tcache and fastbin chunks, which look in use; `arena` is heap_info and malloc_state. */
  readonly state: 'used' | 'free' | 'top' | 'fencepost' | 'arena'
  readonly arenaIndex: number
}

/** What is at an address, most specific first, e.g. "chunk 0x… of arena 3, 4,112 bytes, live", "libc.so.6 .data". */
export interface Description {
  readonly lines: readonly string[]
  /** Start of the region that holds the address, null when it is unmapped. */
  readonly regionStart: Address | null
}

export interface Session {
  readonly report: Report
  /** The address space by category, sorted by start; another array after each refresh. */
  readonly pieces: readonly Piece[]
  readonly wordBytes: 8 | 4
  readonly isLive: boolean
  /** What a live process does now: `running`, `sleeping`, `stopped`, `gone` …; null of others. */
  processState(): string | null
  /** Looks at a live target again and returns the new report; the same report on a core. */
  refresh(): Promise<Report>
  /** Never throws for absent memory. */
  read(start: Address, length: number): MemoryRead
  /** Chunks that overlap [start, end), in order; empty outside malloc's heaps or where the walk is broken. */
  chunksIn(start: Address, end: Address): readonly ChunkMark[]
  /**
   * Chunks in the order of arenas and addresses, mmapped ones last, with their exact states. A batch is valid until
   * the next one is asked for. Each batch reads memory anew: of a live target it is of that moment.
   */
  chunkBatches(filter: ChunkFilter): Iterable<ChunkBatch>
  /** For each value `symbol+offset`, or null; gdb's knowledge, so all null without gdb. */
  symbolsOf(values: readonly bigint[]): Promise<readonly (string | null)[]>
  /**
   * What each thread was doing: names of functions (or `0x…`) by tid, innermost first, at most `depth`. Empty where
   * registers are not at hand: a live process that is not attached to, a core without its program, no gdb.
   */
  stacks(depth: number): Promise<ReadonlyMap<number, readonly string[]>>
  describe(at: Address): Description
  /** The list links that lie in a chunk of `chunksIn`, safe-linking undone; none in chunks that the program holds. */
  linksOf(chunk: ChunkMark): readonly ChunkLink[]
  /**
   * Where `text` (see `parseNeedle`: text, a pointer, bytes) occurs in all of the target's memory: behind `from` and round
   * to it, or before it; null: once over everything. In steps, between which it can be given up. Throws NeedleError.
   */
  search(text: string, from: Address | null, direction: 1 | -1): Iterable<SearchStep>
  /** The nearest mapped address at or after (`+1`) / before (`-1`) `at`, for scrolling over holes; null at the end. */
  nextMapped(at: Address, direction: 1 | -1): Address | null
  close(): Promise<void>
}
