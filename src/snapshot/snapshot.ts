// What a snapshot file is: its version, its kinds of records, and what their lines hold (see docs/snapshots.md).

export const SNAPSHOT_SCHEMA = 'arena-inspect-snapshot/1'

/** The suggested ending of a snapshot's name; files are recognised by their content. */
export const SNAPSHOT_NAME = 'incident.arenas.gz'

/** Kinds of records, as numbered in the file. Readers pass over kinds that they do not know. */
export const KIND = {
  header: 1,
  report: 2,
  regions: 3,
  malloc: 4,
  threads: 5,
  chunks: 6,
  memory: 7,
  end: 255,
} as const

/** The first record: one line of JSON. */
export interface SnapshotHeader {
  readonly schema: typeof SNAPSHOT_SCHEMA
  /** What made it, for people: `arena-inspect 0.1.0`. */
  readonly tool: string
  /** ISO 8601, UTC. */
  readonly madeAt: string
  readonly wordBytes: 8 | 4
  readonly pageBytes: number
  /** False: made with --no-chunks, or there is no malloc to list. */
  readonly chunks: boolean
  /** True: made with --include-memory. */
  readonly memory: boolean
}

/** One mapping with its pieces, which tile it. Addresses are `0x…`. */
export interface RegionLine {
  readonly start: string
  readonly end: string
  /** As in /proc/PID/maps: `rw-p`. */
  readonly permissions: string
  readonly fileOffset: string
  readonly path: string | null
  readonly pieces: readonly {
    readonly category: string
    readonly end: string
    readonly residentBytes: number | null
  }[]
}

/** Variables of libc and where they lie: `main_arena`, `mp_`. */
export interface VariableLine {
  readonly variable: string
  readonly address: string
  readonly bytes: number
}

/** One arena and its heaps, oldest first. */
export interface ArenaLine {
  readonly arena: number
  readonly address: string
  /** Of its malloc_state. */
  readonly bytes: number
  readonly heaps: readonly {
    readonly address: string
    readonly sizeBytes: number
    readonly committedBytes: number
    readonly reservedBytes: number
    /** Bytes of heap_info and malloc_state before the first chunk; null where the arena's chunks are unknown. */
    readonly headerBytes: number | null
  }[]
}

/** What one thread was doing, innermost frame first. */
export interface ThreadLine {
  readonly tid: number
  readonly frames: readonly {
    readonly pc: string
    readonly functionName: string | null
    readonly source: string | null
  }[]
}

/** The last record: without it the file is cut. */
export interface SnapshotEnd {
  readonly records: number
  readonly chunks: number
}
