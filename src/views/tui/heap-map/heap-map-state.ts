// What the Heap map pane shows: one heap, a cell per run of pages.
import type { HeapPages } from '../../../report/heap-pages.js'

export interface HeapMapState {
  /** Ring position of the arena, and which of its heaps. */
  readonly arena: number
  readonly heap: number
  /** Bytes of a cell; null: as few as let the whole heap be seen at once. */
  readonly cellBytes: number | null
  /** Of the cursor, from the heap's start. */
  readonly offset: number
  /** First row on the screen. */
  readonly top: number
  readonly pages: HeapPages | null
  readonly isDone: boolean
}

export const NO_HEAP: HeapMapState = {
  arena: 0,
  heap: 0,
  cellBytes: null,
  offset: 0,
  top: 0,
  pages: null,
  isDone: false,
}
