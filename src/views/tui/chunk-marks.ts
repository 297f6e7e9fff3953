// Chunks beside the hexdump: the mark at a chunk's first row, the rail along the rest, and the names of its fields.

import { bytesText } from '../../format/sizes.js'
import type { Address } from '../../memory/address.js'
import type { ChunkMark } from '../../session/session.js'

/** glibc malloc/malloc.c: PREV_INUSE 1, IS_MMAPPED 2, NON_MAIN_ARENA 4. */
const FLAGS = ['PREV_INUSE', 'MMAPPED', 'NON_MAIN'] as const

/** The chunks of a screen, sorted by address, asked by address. */
export class ChunkIndex {
  readonly #chunks: readonly ChunkMark[]
  constructor(chunks: readonly ChunkMark[]) {
    this.#chunks = chunks
  }

  /** The chunk that holds `at`, or null. */
  at(at: bigint): ChunkMark | null {
    let low = 0
    let high = this.#chunks.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const chunk = this.#chunks[middle]!
      if (at < chunk.address) high = middle - 1
      else if (at >= chunk.address + BigInt(chunk.sizeBytes)) low = middle + 1
      else return chunk
    }
    return null
  }

  /** The chunk that starts in [from, from + bytes), else the one that holds `from`, else null. */
  inRow(from: Address, bytes: number): ChunkMark | null {
    return this.at(from + BigInt(bytes - 1)) ?? this.at(from)
  }
}

/** `▸used 4112 arena 3` where the chunk starts; short: `▸used 4112 a3`. `│` in front says that it goes on. */
export function markText(chunk: ChunkMark, starts: boolean, long: boolean): string {
  const edge = starts ? '▸' : '│'
  if (chunk.state === 'arena') return `${edge}arena ${chunk.arenaIndex}${long ? ' struct' : ''}`
  const arena = long ? `arena ${chunk.arenaIndex}` : `a${chunk.arenaIndex}`
  const state = !long && chunk.state === 'fencepost' ? 'fence' : chunk.state
  return `${edge}${state} ${sizeText(chunk.sizeBytes, long)} ${arena}`
}

function sizeText(bytes: number, long: boolean): string {
  if (long || bytes < 100_000) return `${bytes}`
  return bytesText(bytes).replace(/(\.\d)? (\w)iB$/, '$2')
}

/** What glibc keeps in the word at `at` of its chunk, or null for the program's own data. */
export function fieldText(
  chunk: ChunkMark,
  at: Address,
  value: bigint | null,
  wordBytes: number,
): string | null {
  if (chunk.state === 'arena') return null
  const word = Number(at - chunk.address) / wordBytes
  if (word === 1) return value === null ? 'size' : `size ${value & ~7n}${flagText(value)}`
  if (chunk.state !== 'free') return null
  return word === 2 ? 'fd' : word === 3 ? 'bk' : null
}

function flagText(size: bigint): string {
  const set = FLAGS.filter((_, bit) => (size >> BigInt(bit)) & 1n)
  return set.length === 0 ? '' : ` ${set.join(' ')}`
}
