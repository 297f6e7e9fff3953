// The Trace: who mapped memory of a live process, by stack and in time; versioned, and readable on another machine.

export const TRACE_SCHEMA = 'arena-inspect-trace/1'

/** Addresses are text `0x…`, times milliseconds since 1970. A reader that knows version 1 may ignore fields it does not. */
export interface Trace {
  readonly schema: typeof TRACE_SCHEMA
  readonly tool: { readonly name: 'arena-inspect'; readonly version: string }
  readonly target: TraceTarget
  readonly recorder: 'perf' | 'gdb'
  /** Why this recorder: that it was asked for, or why another cannot be used. */
  readonly recorderWhy: string
  readonly minimumBytes: number
  readonly startedAtMs: number
  /** Of the last look; of a trace whose tool was killed the last time that it was saved. */
  readonly endedAtMs: number
  readonly ending: TraceEnding
  /** More words on the ending; null: none are needed. */
  readonly endingWhy: string | null
  /** Sums over all groups of kind `map`. */
  readonly mapped: TraceSum
  /** Address space that malloc reserved for heaps of arenas. Heaps: all of them, the first ones of arenas included. */
  readonly births: { readonly arenas: number; readonly heaps: number; readonly reservedBytes: number }
  /** Events that the recorder knows it did not see: all sums are then lower bounds, and "still mapped" an upper one. */
  readonly lostEvents: number
  /** Times in which nothing was watched, the first of them. */
  readonly gaps: readonly TraceGap[]
  readonly gapsNotKept: number
  readonly modules: readonly TraceModule[]
  readonly frames: readonly TraceFrame[]
  readonly stacks: readonly TraceStackOfFrames[]
  readonly threads: readonly { readonly tid: number; readonly name: string }[]
  /** Most bytes first; `map` before `birth`. */
  readonly groups: readonly TraceGroup[]
  /** Calls whose stack was one too many to keep; they are in the group without a stack whose `other` is true. */
  readonly callsWithoutGroup: number
  /** In order of time: the first ones and the last ones; between them `eventsNotKept` are missing. */
  readonly events: readonly TraceMoment[]
  readonly eventsNotKept: number
  /** How "still mapped" was settled; null when the target's maps could not be read at the end. */
  readonly checkedAgainstMaps: {
    readonly atMs: number
    /** Taken for mapped until the target's maps showed that it is not. */
    readonly goneUnseenBytes: number
  } | null
}

export type TraceEnding =
  | 'still-running'
  | 'target-ended'
  | 'time-is-up'
  | 'SIGINT'
  | 'SIGTERM'
  | 'SIGHUP'
  | 'recorder-failed'

export interface TraceTarget {
  readonly pid: number
  readonly executable: string | null
  readonly machine: string
}

/** Calls and what they mapped. */
export interface TraceSum {
  readonly calls: number
  readonly bytes: number
  /** Of them: still mapped at the end of the trace or of the target, wholly or in part. */
  readonly stillMappedCalls: number
  readonly stillMappedBytes: number
  /** Of them: where it is not known whether they are still mapped (the recorder did not see where, or too many). */
  readonly untrackedCalls: number
  readonly untrackedBytes: number
}

export interface TraceGap {
  readonly atMs: number
  readonly untilMs: number
  readonly why: string
}

/** A file of the target's code. */
export interface TraceModule {
  readonly path: string
  /** Lower-case hex. */
  readonly buildId: string | null
  /** Where it was first seen. */
  readonly base: string
  readonly loadBias: string | null
  readonly isProgram: boolean
}

/** A place in code. Of callers it is where the call is: the address before the one it returns to. */
export interface TraceFrame {
  /** Index in `modules`; null: in no file, then `address` is as the target had it. */
  readonly module: number | null
  /** As in the file's own symbol table, without load bias. */
  readonly address: string
  /** Null: not known. C++ names are demangled. */
  readonly function: string | null
  /** `file:line`; where functions were inlined, of the innermost of them. */
  readonly source: string | null
  /** Functions that were inlined there, innermost first. */
  readonly inlined: readonly string[]
}

export interface TraceStackOfFrames {
  /** Indexes in `frames`, innermost first. */
  readonly frames: readonly number[]
  /** True when outer frames are missing: the recorder could not see further. */
  readonly cut: boolean
}

export interface TraceGroup extends TraceSum {
  /** `birth`: reservations of malloc for a heap of an arena. */
  readonly kind: 'map' | 'birth'
  /** Index in `stacks`; null: calls without a stack, or (`other`) with stacks beyond the most that are kept. */
  readonly stack: number | null
  readonly other: boolean
  readonly mmapCalls: number
  readonly mremapCalls: number
  readonly brkCalls: number
  readonly arenas: number
  readonly heaps: number
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** By name, most bytes first; a bounded number of names, the rest together under the name null. */
  readonly threads: readonly {
    readonly name: string | null
    readonly calls: number
    readonly bytes: number
  }[]
}

/** One call. */
export interface TraceMoment {
  readonly atMs: number
  /** Index in `groups`. */
  readonly group: number
  readonly tid: number
  readonly call: 'mmap' | 'mremap' | 'brk'
  readonly address: string | null
  readonly bytes: number
  readonly mallocBirth: 'arena' | 'heap' | null
}
