// main_arena without symbols: the one place where 127 bins point at themselves or head a proper list.
import { type Address, address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { type ArenaLayout, arenaLayout, BIN_COUNT, binsOffset, type GlibcLayout } from '../layout.js'
import type { Stretch } from './libc.js'

export interface FoundArena {
  readonly address: Address
  readonly layout: ArenaLayout
  /** The version's own layout fits; false when another one had to be found. */
  readonly fromTable: boolean
}

// A stretch of writable data larger than this is no libc's .data and .bss.
const MOST_BYTES = 64 << 20
// Bins that may be neither: a list being relinked when the core was taken, or damage.
const MOST_BAD_BINS = 6
// An arena in heavy use still has some empty bins.
const LEAST_EMPTY_BINS = 8
const MOST_ARENAS = 65_536
// attached_threads is below it, system_mem of an arena in use is not (HEAP_MIN_SIZE).
const HEAP_MIN_SIZE = 0x8000n

/** True when the bins at `main` are an arena's, or it was never used and its ring is itself. */
export function isMainArena(memory: MemorySource, main: Address, layout: GlibcLayout): boolean {
  const cache = new PageCache(memory, 256)
  const word = layout.wordBytes
  if (hasBins(cache, main, layout)) return true
  const at = (member: number) => cache.word(main + BigInt(member), word)
  return at(layout.arena.top) === 0n && at(layout.arena.next) === main
}

/** True when the bins of the arena at `arena` are, but for a few, empty or both ends of proper lists. */
export function hasBins(cache: PageCache, arena: bigint, layout: GlibcLayout): boolean {
  return badBins(cache, arena, layout) <= MOST_BAD_BINS
}

/** How many of the bins of the arena at `arena` are neither empty nor both ends of a proper list. */
export function badBins(cache: PageCache, arena: bigint, layout: GlibcLayout): number {
  const word = layout.wordBytes
  const bins = arena + BigInt(layout.arena.bins)
  let bad = 0
  for (let bin = 0; bin < BIN_COUNT; bin++) if (!isListHead(cache, bins + BigInt(2 * bin * word), word)) bad++
  return bad
}

/** Looks for main_arena in one stretch of writable data; null when it is not there. `minor`: of glibc 2.x, if known. */
export function findMainArena(
  memory: MemorySource,
  stretch: Stretch,
  word: 8 | 4,
  minor: number | null,
): FoundArena | null {
  if (stretch.sizeBytes > MOST_BYTES) return null
  const cache = new PageCache(memory, 1024)
  const candidates = binsIn(memory, cache, stretch, word)
  const expected = minor === null ? null : binsOffset(minor, word)
  for (const bins of candidates) {
    const offsets = word === 8 ? [0x70, 0x18, 0x68] : [0x40, 0x10, 0x3c, 0x38]
    if (expected !== null) offsets.unshift(expected)
    for (const binsAt of offsets) {
      const main = address(BigInt.asUintN(64, bins - BigInt(binsAt)))
      if (!ringCloses(cache, main, binsAt, word)) continue
      const afterNextFree = cache.word(bins + BigInt(2 * BIN_COUNT * word + 16 + 2 * word), word)
      const attached = afterNextFree !== null && afterNextFree < HEAP_MIN_SIZE
      const fromTable = binsAt === expected && attached === minor! >= 23
      return { address: main, layout: arenaLayout(binsAt, attached, word), fromTable }
    }
  }
  // The ring is broken somewhere, but these are an arena's bins and the version says where its arena begins.
  const [best] = candidates
  if (best === undefined || expected === null) return null
  const main = address(BigInt.asUintN(64, best - BigInt(expected)))
  return { address: main, layout: arenaLayout(expected, minor! >= 23, word), fromTable: true }
}

const HEAD = 1
const NO_HEAD = 2

// Addresses of bins[0] candidates, best first.
function binsIn(memory: MemorySource, cache: PageCache, stretch: Stretch, word: 8 | 4): readonly bigint[] {
  const empty = emptyBins(memory, stretch, word)
  const step = 2
  // By word: 0 until it was looked at, then whether a list's head is there. Windows overlap.
  const heads = new Uint8Array(empty.length)
  const isHead = (at: number): boolean => {
    heads[at] ||= isListHead(cache, stretch.start + BigInt(at * word), word) ? HEAD : NO_HEAD
    return heads[at] === HEAD
  }
  const scores: { at: number; valid: number }[] = []
  // Empty bins from each word on, of even and of odd words: the sum slides along.
  const counts = [emptyFrom(empty, 0), emptyFrom(empty, 1)]
  for (let at = 0; at + step * BIN_COUNT <= empty.length; at++) {
    const count = counts[at & 1]!
    counts[at & 1] = count - empty[at]! + (empty[at + step * BIN_COUNT] ?? 0)
    if (count < LEAST_EMPTY_BINS) continue
    let valid = count
    let bad = 0
    for (let bin = 0; bin < BIN_COUNT && bad <= MOST_BAD_BINS; bin++) {
      if (empty[at + step * bin]) continue
      if (isHead(at + step * bin)) valid++
      else bad++
    }
    if (bad <= MOST_BAD_BINS) scores.push({ at, valid })
  }
  scores.sort((a, b) => b.valid - a.valid || a.at - b.at)
  return scores.map(({ at }) => stretch.start + BigInt(at * word))
}

// How many of the BIN_COUNT bins from word `at` on are empty.
function emptyFrom(empty: Uint8Array, at: number): number {
  let count = 0
  for (let bin = 0; bin < BIN_COUNT; bin++) count += empty[at + 2 * bin] ?? 0
  return count
}

// For each word of the stretch 1 where it and the next hold the address two words before it: an empty bin's pair.
function emptyBins(memory: MemorySource, stretch: Stretch, word: 8 | 4): Uint8Array {
  const buffer = new Uint8Array(stretch.sizeBytes & ~7)
  const got = memory.read(stretch.start, buffer)
  const words = new Uint32Array(buffer.buffer, 0, got >> 2)
  const perWord = word / 4
  const count = Math.floor(words.length / perWord)
  const empty = new Uint8Array(count)
  const base = offset(stretch.start, -2 * word)
  const low = Number(BigInt.asUintN(32, base))
  for (let k = 0; k + 1 < count; k++) {
    const expected = low + k * word
    if (words[k * perWord] !== expected >>> 0 || words[(k + 1) * perWord] !== expected >>> 0) continue
    if (word === 8) {
      const high = Number((base + BigInt(k * word)) >> 32n)
      if (words[2 * k + 1] !== high || words[2 * k + 3] !== high) continue
    }
    empty[k] = 1
  }
  return empty
}

// `pair` is the address of a bin's (fd, bk): empty, or both ends of its list point back at it.
function isListHead(cache: PageCache, pair: bigint, word: 8 | 4): boolean {
  const header = pair - BigInt(2 * word)
  const fd = cache.word(pair, word)
  const bk = cache.word(pair + BigInt(word), word)
  if (fd === null || bk === null || fd === 0n || bk === 0n) return false
  if (fd === header && bk === header) return true
  return (
    cache.word(fd + BigInt(3 * word), word) === header && cache.word(bk + BigInt(2 * word), word) === header
  )
}

// The `next` ring from `main`, whose members all have their bins at `binsAt`, comes back to `main`.
function ringCloses(cache: PageCache, main: Address, binsAt: number, word: 8 | 4): boolean {
  const nextAt = BigInt(binsAt + 2 * BIN_COUNT * word + 16)
  let arena: bigint = main
  for (let count = 0; count < MOST_ARENAS; count++) {
    const next = cache.word(arena + nextAt, word)
    if (next === main) return true
    if (next === null || next === 0n || next === arena) return false
    arena = next
  }
  return false
}
