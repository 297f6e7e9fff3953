// What recorders tell of a live process: who maps memory, when, from where in the code.
import type { Address } from '../memory/address.js'

/** Program counters, innermost first: of the innermost frame itself, of the others where they return to. */
export interface TraceStack {
  readonly pcs: readonly bigint[]
  /** True when the stack is longer than what the recorder could take (perf copies at most 64 KiB of it). */
  readonly cut: boolean
}

/** How memory came: a system call that took more of the address space. */
export interface MapEvent {
  readonly kind: 'map'
  readonly call: 'mmap' | 'mremap' | 'brk'
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly tid: number
  readonly threadName: string
  /** Start of what is new; null where the recorder did not see the call return. */
  readonly address: Address | null
  /** New bytes, in whole pages: of mremap and brk only what was added. */
  readonly bytes: number
  /** A malloc heap (heap_info) of an arena, and whether the arena was born with it; null: anything else. */
  readonly mallocBirth: 'arena' | 'heap' | null
  readonly stack: TraceStack | null
}

/** mremap put a mapping elsewhere: its bytes still belong to whoever mapped them. Comes before the MapEvent of its growth. */
export interface MoveEvent {
  readonly kind: 'move'
  readonly atMs: number
  readonly from: Address
  readonly to: Address
  readonly bytes: number
}

/** Whole pages; also told of small ones where they touch memory that was told. */
export interface UnmapEvent {
  readonly kind: 'unmap'
  readonly atMs: number
  readonly address: Address
  readonly bytes: number
}

/** Events that the recorder knows it did not see, e.g. as its buffer was full. */
export interface LostEvent {
  readonly kind: 'lost'
  readonly atMs: number
  readonly count: number
}

/** The target executed another program: every mapping before is gone, and code lies elsewhere. */
export interface ExecEvent {
  readonly kind: 'exec'
  readonly atMs: number
}

/** A time in which the recorder could not watch, e.g. as the target was stopped by a signal. */
export interface GapEvent {
  readonly kind: 'gap'
  /** When it began. */
  readonly atMs: number
  readonly untilMs: number
  readonly why: string
}

export type TraceEvent = MapEvent | MoveEvent | UnmapEvent | LostEvent | ExecEvent | GapEvent

export interface RecorderOptions {
  readonly pid: number
  /** Smaller calls are not told; births of arenas and heaps always are. */
  readonly minimumBytes: number
  /** Called in about the order of time; must not throw. */
  readonly onEvent: (event: TraceEvent) => void
  readonly gdbPath?: string
}

/** One that runs. The target runs on however it ends. */
export interface Recording {
  /** Detaches, tells the events that are still under way, and resolves; may be called twice. */
  stop(): Promise<void>
  /** Resolves when it ends by itself: null when the target ended, else why it cannot go on. */
  readonly ended: Promise<string | null>
}

export interface Recorder {
  readonly name: 'perf' | 'gdb'
  /** Why it cannot be used on this target here, with what would allow it; null when it can. Looks, starts nothing. */
  whyNot(pid: number): Promise<string | null>
  /** Resolves when it records. Throws TargetError. */
  start(options: RecorderOptions): Promise<Recording>
}
