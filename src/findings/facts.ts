// What rules look at: the measured state of one target, nothing else.

import type { OtherAllocator } from '../malloc/detect/other-allocator.js'
import type { HeapModel } from '../malloc/heap-model.js'
import type { CategorySum } from '../maps/categories.js'

export interface Facts {
  readonly kind: 'core' | 'live' | 'gdb'
  readonly pid: number | null
  readonly threads: number
  /** Null when the target has no glibc malloc. */
  readonly heap: HeapModel | null
  /** An allocator in glibc's place or beside it; null or absent when none was seen. */
  readonly otherAllocator?: OtherAllocator | null
  readonly categories: readonly CategorySum[]
}
