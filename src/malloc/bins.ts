// Free chunks by glibc's own lists: fastbins, and the 127 bins of an arena.
import { type Address, address, hex } from '../memory/address.js'
import type { PageCache } from '../memory/page-cache.js'
import type { Anomaly } from './heap-model.js'
import { BIN_COUNT, type GlibcLayout } from './layout.js'

/** Sum over free lists. `damage`: the first place where a list was broken; the sums are then lower bounds. */
export interface ListSum {
  readonly chunks: number
  readonly bytes: number
  readonly damage: Anomaly | null
}

const SIZE_MASK = ~7n

/** Follows every fastbin of the arena at `arena`. `systemBytes` of the arena bounds what there can be. */
export function walkFastbins(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  systemBytes: number,
): ListSum {
  const limit = mostChunks(layout, systemBytes)
  const { fastbins, fastbinCount } = layout.arena
  const sum = { chunks: 0, bytes: 0, damage: null as Anomaly | null }
  if (fastbins === null) return sum
  const word = layout.wordBytes
  for (let index = 0; index < fastbinCount && !sum.damage; index++) {
    const head = arena + BigInt(fastbins + index * word)
    const first = memory.word(head, word)
    if (first === null) sum.damage = broken(head, 'fastbin-unreadable', 'a fastbin head cannot be read')
    else followFastbin(memory, layout, index, first, limit, sum)
  }
  return sum
}

function followFastbin(
  memory: PageCache,
  layout: GlibcLayout,
  index: number,
  first: bigint,
  limit: number,
  sum: { chunks: number; bytes: number; damage: Anomaly | null },
): void {
  const word = layout.wordBytes
  for (let chunk = first; chunk !== 0n; ) {
    const size = fastbinChunkSize(memory, layout, index, chunk)
    if (size === null || sum.chunks > limit) {
      sum.damage = broken(
        chunk,
        'fastbin-broken',
        `fastbin ${index} leads to ${hex(chunk)}, which is no chunk of it`,
      )
      return
    }
    sum.chunks++
    sum.bytes += size
    const link = chunk + BigInt(2 * word)
    const stored = memory.word(link, word)
    if (stored === null) {
      sum.damage = broken(
        link,
        'fastbin-unreadable',
        `the link of a chunk in fastbin ${index} cannot be read`,
      )
      return
    }
    const linked = stored ^ (link >> 12n)
    if (layout.safeLinking !== null) chunk = layout.safeLinking ? linked : stored
    else {
      const plausible = (next: bigint) =>
        next === 0n || fastbinChunkSize(memory, layout, index, next) !== null
      chunk = plausible(linked) ? linked : stored
    }
  }
}

// glibc: fastbin_index(size) = (size >> (SIZE_SZ == 8 ? 4 : 3)) - 2.
function fastbinChunkSize(
  memory: PageCache,
  layout: GlibcLayout,
  index: number,
  chunk: bigint,
): number | null {
  const word = layout.wordBytes
  const size = memory.word(chunk + BigInt(word), word)
  if (size === null) return null
  const bytes = size & SIZE_MASK
  return bytes >> (word === 8 ? 4n : 3n) === BigInt(index + 2) ? Number(bytes) : null
}

/** Follows every bin (unsorted, small, large) of the arena at `arena`, checking fd against bk. */
export function walkBins(
  memory: PageCache,
  arena: Address,
  layout: GlibcLayout,
  systemBytes: number,
): ListSum {
  const limit = mostChunks(layout, systemBytes)
  const word = layout.wordBytes
  const wide = BigInt(word)
  let chunks = 0
  let bytes = 0
  for (let bin = 1; bin <= BIN_COUNT; bin++) {
    const header = arena + BigInt(layout.arena.bins + 2 * (bin - 1) * word - 2 * word)
    let before = header
    let chunk = memory.word(header + 2n * wide, word)
    while (chunk !== header) {
      const back = chunk === null ? null : memory.word(chunk + 3n * wide, word)
      if (chunk === null || back !== before || chunks > limit) {
        const at = chunk ?? before
        const what =
          back === null
            ? `bin ${bin} leads to ${hex(at)}, which cannot be read`
            : `bin ${bin}: bk of ${hex(at)} is ${hex(back)}, expected ${hex(before)}`
        return { chunks, bytes, damage: broken(at, 'bin-broken', what) }
      }
      const size = Number((memory.word(chunk + wide, word) ?? 0n) & SIZE_MASK)
      if (bytes + size > systemBytes) {
        const what = `bin ${bin}: ${hex(chunk)} has size ${hex(BigInt(size))}, more than its arena has left`
        return { chunks, bytes, damage: broken(chunk, 'bin-broken', what) }
      }
      chunks++
      bytes += size
      before = chunk
      chunk = memory.word(chunk + 2n * wide, word)
    }
  }
  return { chunks, bytes, damage: null }
}

// No chunk is smaller than two words, so a list that is longer runs in a circle.
function mostChunks(layout: GlibcLayout, systemBytes: number): number {
  return Math.ceil(systemBytes / (2 * layout.wordBytes))
}

function broken(at: bigint, code: string, what: string): Anomaly {
  return { at: address(BigInt.asUintN(64, at)), code, what }
}
