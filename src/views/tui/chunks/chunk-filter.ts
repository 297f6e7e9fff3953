// Which chunks the Chunks pane lists, as data and as it is typed.
import type { ChunkState } from '../../../session/session.js'

/** Groups of states in the turn of the key `f`. */
export const STATE_GROUPS: Readonly<Record<string, readonly ChunkState[] | null>> = {
  all: null,
  live: ['live'],
  tcache: ['tcache'],
  free: ['fastbin', 'unsorted', 'binned'],
  top: ['top'],
  mmapped: ['mmapped'],
}

export interface ChunkListFilter {
  /** Ring position; null: all arenas, and mmapped chunks. */
  readonly arena: number | null
  /** A name of STATE_GROUPS. */
  readonly group: string
  readonly minBytes: number | null
  readonly maxBytes: number | null
}

export type ChunkSort = 'place' | 'size'

export const EVERY_CHUNK: ChunkListFilter = { arena: null, group: 'all', minBytes: null, maxBytes: null }

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** `arena 3 free min 1M max 2G` as it is typed after `/`; a sentence when it is not that. */
export function parseChunkFilter(text: string): ChunkListFilter | string {
  const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean)
  let filter = EVERY_CHUNK
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (Object.hasOwn(STATE_GROUPS, word)) filter = { ...filter, group: word }
    else if (word === 'arena' || word === 'min' || word === 'max') {
      const value = words[++at] ?? ''
      const size = /^(\d+)([kmgt]?)(?:i?b)?$/.exec(value)
      if (word === 'arena') {
        if (value !== 'main' && !/^\d{1,9}$/.test(value))
          return `arena takes a number or main, not "${value}"`
        filter = { ...filter, arena: value === 'main' ? 0 : Number(value) }
      } else {
        if (!size) return `${word} takes a size such as 4096, 64K or 1M, not "${value}"`
        filter = { ...filter, [`${word}Bytes`]: Number(size[1]) * UNITS[size[2]!]! }
      }
    } else return `"${word}" is none of ${Object.keys(STATE_GROUPS).join(', ')}, arena N, min SIZE, max SIZE`
  }
  return filter
}

/** What parseChunkFilter reads. */
export function chunkFilterText({ arena, group, minBytes, maxBytes }: ChunkListFilter): string {
  return [
    ...(arena === null ? [] : [`arena ${arena === 0 ? 'main' : arena}`]),
    ...(group === 'all' ? [] : [group]),
    ...(minBytes === null ? [] : [`min ${minBytes}`]),
    ...(maxBytes === null ? [] : [`max ${maxBytes}`]),
  ].join(' ')
}
