// What the commands that read a target write under --json. Addresses are `0x…`, sizes bytes, null is what is unknown.
import type { ChunkState } from '../../malloc/chunks/list-chunks.js'
import type { Heap, HeapTotals } from '../../malloc/heap-model.js'
import type { Grouping, GroupRow } from '../../maps/group-regions.js'
import type { ReportArena, ReportHeapModel, ReportThread } from '../../report/report.js'
import type { ChunkMark } from '../../session/session.js'

/** What all of them have: `complete: false` says that something of the target could not be known. */
interface Reading<Schema extends string> {
  readonly schema: Schema
  readonly complete: boolean
}

export interface ArenasDocument extends Reading<'arena-inspect-arenas/1'> {
  /** In glibc's order. */
  readonly arenas: readonly ReportArena[]
  readonly totals: HeapTotals
  readonly mmapped: ReportHeapModel['mmapped']
}

export interface HeapRow extends Omit<Heap, 'address'> {
  readonly arena: number
  readonly address: string
}

export interface HeapsDocument extends Reading<'arena-inspect-heaps/1'> {
  readonly heaps: readonly HeapRow[]
}

/** One free list. */
export interface BinRow {
  /** `main arena`, `arena 3`; of a tcache `thread 4711`, or `tcache 0x…` where its thread is unknown. */
  readonly of: string
  readonly kind: 'fast' | 'unsorted' | 'small' | 'large' | 'tcache'
  readonly index: number
  readonly chunks: number
  readonly bytes: number
  readonly smallestBytes: number | null
  readonly largestBytes: number | null
}

export interface BinsDocument extends Reading<'arena-inspect-bins/1'> {
  /** Lists that hold chunks. */
  readonly bins: readonly BinRow[]
  /** In sentences; the lists concerned are cut there. */
  readonly damage: readonly string[]
}

export interface StackFrame {
  readonly pc: string
  /** Null where no symbol is known. */
  readonly functionName: string | null
  /** `file.c:12`; null where no debug information tells. */
  readonly source: string | null
}

export interface ThreadRow extends ReportThread {
  /** Innermost first; empty where registers or gdb are not at hand. */
  readonly frames: readonly StackFrame[]
}

export interface ThreadsDocument extends Reading<'arena-inspect-threads/1'> {
  readonly threads: readonly ThreadRow[]
}

export interface MapsDocument extends Reading<'arena-inspect-maps/1'> {
  readonly by: Grouping
  /** Largest first. */
  readonly rows: readonly GroupRow[]
}

/** A line of `chunks`. Lines carry no `schema`: there can be 10^8 of them. */
export interface ChunkLine {
  /** Of its header. */
  readonly address: string
  /** Header included. */
  readonly sizeBytes: number
  readonly state: ChunkState
  /** Null for a chunk with its own mapping. */
  readonly arena: number | null
}

export interface MemoryWord {
  readonly address: string
  readonly word: string
  readonly symbol: string | null
}

export interface MarkedChunk extends Omit<ChunkMark, 'address'> {
  readonly address: string
}

interface Dump<As extends string> {
  readonly schema: 'arena-inspect-x/1'
  readonly as: As
  readonly address: string
  /** Why less than asked for is here; null when all is. */
  readonly fault: string | null
}

export interface WordsDump extends Dump<'words'> {
  readonly words: readonly MemoryWord[]
}

export interface HexDump extends Dump<'hex'> {
  /** Two digits a byte. */
  readonly bytes: string
}

export interface ChunksDump extends Dump<'chunks'> {
  readonly chunks: readonly MarkedChunk[]
}

export type XDocument = WordsDump | HexDump | ChunksDump
