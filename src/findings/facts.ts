// What rules look at: the measured state of one target, nothing else.
import type { OtherAllocator } from '../malloc/detect/other-allocator.js'
import type { HeapModel } from '../malloc/heap-model.js'
import type { CategorySum } from '../maps/categories.js'
import type { Ledger } from '../maps/ledger.js'
import type { Surroundings } from '../target/target.js'
import type { RuleSettings } from './thresholds.js'

/** A mapping that malloc uses and that may be executed. */
export interface ExecutableHeap {
  /** Hex, with 0x. */
  readonly start: string
  readonly bytes: number
}

/** A large stretch of memory that is nobody's: anonymous, and not malloc's. */
export interface AnonymousMapping {
  /** Hex, with 0x. */
  readonly start: string
  readonly bytes: number
  readonly residentBytes: number | null
  readonly executable?: boolean
}

/** What a sample of live chunks begins with, by symbol: C++ classes by their vtable, else the table's own name. */
export interface LiveTypes {
  readonly sampledChunks: number
  /** Most frequent first. */
  readonly types: readonly { readonly name: string; readonly chunks: number }[]
}

export interface Facts {
  /** How the user wants it judged; absent: by the defaults. */
  readonly rules?: RuleSettings
  readonly kind: 'core' | 'live' | 'gdb'
  readonly pid: number | null
  readonly threads: number
  /** Null when the target has no glibc malloc. */
  readonly heap: HeapModel | null
  /** An allocator in glibc's place or beside it; null or absent when none was seen. */
  readonly otherAllocator?: OtherAllocator | null
  readonly categories: readonly CategorySum[]
  /** Null where residency is unknown. */
  readonly ledger: Ledger | null
  /** Null on a core. */
  readonly surroundings: Surroundings | null
  /** All mappings of the target. */
  readonly mappings: number
  /** Heaps of arenas, the main heap included, in mappings with execute permission. */
  readonly executableHeaps: readonly ExecutableHeap[]
  /** `other anonymous` mappings, largest first, at most 16. */
  readonly anonymous: readonly AnonymousMapping[]
  /** Asked for only where a finding wants them; null or absent where nothing is known. */
  readonly liveTypes?: LiveTypes | null
}
