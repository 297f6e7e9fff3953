// What the Chunks pane shows: which chunks, in which order, and where the cursor is.
import type { Address } from '../../../memory/address.js'
import { type ChunkListFilter, type ChunkSort, EVERY_CHUNK } from './chunk-filter.js'
import type { ChunkView } from './chunk-view.js'

export interface ChunksState {
  readonly filter: ChunkListFilter
  readonly sort: ChunkSort
  readonly reversed: boolean
  /** Index in the view. */
  readonly cursor: number
  readonly top: number
  /** The chunk that is to come under the cursor as soon as it is listed. */
  readonly wanted: Address | null
  /** What is listed so far; null before the first. */
  readonly view: ChunkView | null
  readonly isDone: boolean
  /** False until the pane is looked at: chunks are not listed before. */
  readonly isAsked: boolean
  readonly error: string | null
}

export const NO_CHUNKS: ChunksState = {
  filter: EVERY_CHUNK,
  sort: 'place',
  reversed: false,
  cursor: 0,
  top: 0,
  wanted: null,
  view: null,
  isDone: false,
  isAsked: false,
  error: null,
}

/** Names what a view is of: views of another name are out of date. */
export function viewName({ filter, sort }: Pick<ChunksState, 'filter' | 'sort'>): string {
  return [filter.arena, filter.group, filter.minBytes, filter.maxBytes, sort].join(' ')
}
