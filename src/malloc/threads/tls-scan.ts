// Where libc's thread-local variables `tcache` and `thread_arena` are, by what all threads hold there.
import { type Address, address } from '../../memory/address.js'
import type { TcacheContext } from './read-tcache.js'
import { readTcache } from './read-tcache.js'
import type { TcacheLayout } from './tcache-layout.js'

/** Offsets from the thread pointer; null when no place in thread-local memory qualifies. */
export interface TlsOffsets {
  readonly tcache: number | null
  /** The layout of the structs that `tcache` points to. */
  readonly layout: TcacheLayout | null
  readonly arena: number | null
}

export interface TlsScan {
  readonly context: TcacheContext
  /** Thread pointers whose memory is there. */
  readonly pointers: readonly Address[]
  /** x86: static TLS blocks lie below the thread pointer; aarch64: above it. */
  readonly side: 'below' | 'above'
  readonly layouts: readonly TcacheLayout[]
  readonly isArena: (at: bigint) => boolean
  /** True for addresses in mapped files: glibc ≥ 2.43 has an inactive tcache point at libc's own `__tcache_dummy`. */
  readonly isFileData: (at: bigint) => boolean
}

// libc's block is near in plain programs; large thread-local data of the program itself pushes it away.
const WINDOWS = [0x400, 0x2000, 0x1_0000]
const NOT_IT = -3
const SOUND = 4
/** Where there are more threads, some of them vote for all. */
const MOST_VOTERS = 8

interface Place {
  readonly at: number
  readonly score: number
  readonly layout: TcacheLayout | null
}

/**
 * The offsets of `tcache` and `thread_arena`. libc's variables have the same offset in every thread, so each word of the
 * window gets points from all threads. For `tcache`: 4 for a sound tcache that holds chunks, 2 for an empty one, 1 for
 * one that is partly broken, −3 for anything else that is not null (or `__tcache_dummy`), or that another thread has too.
 * For `thread_arena`: 1 for an arena, −1 for anything else that is not null. The places with the most points qualify,
 * when they have more than none. Equals (one thread alone) are told apart by nearness: the two variables are
 * neighbours in every glibc.
 */
export function findTlsOffsets(scan: TlsScan): TlsOffsets {
  let best: TlsOffsets = { tcache: null, layout: null, arena: null }
  for (const window of WINDOWS) {
    const offsets = offsetsIn(window, scan)
    const caches = placesOfCaches(scan, offsets)
    const arenas = placesOfArenas(scan, offsets)
    const pair = nearest(caches, arenas)
    const cache = pair?.cache ?? caches[0]
    const arena = pair?.arena ?? arenas[0]
    best = { tcache: cache?.at ?? null, layout: cache?.layout ?? null, arena: arena?.at ?? null }
    if (cache || (arena && scan.layouts.length === 0)) return best
  }
  return best
}

function offsetsIn(window: number, scan: TlsScan): readonly number[] {
  const word = scan.context.layout.wordBytes
  const first = scan.side === 'below' ? -window : 2 * word
  return Array.from({ length: window / word }, (_, i) => first + i * word)
}

// Places with the most points, per layout; the earlier layout wins a tie. A layout that is not this glibc's own is
// believed only where a tcache of it holds chunks: zeros in a chunk of its size look like an empty one.
function placesOfCaches(scan: TlsScan, offsets: readonly number[]): readonly Place[] {
  let best: Place[] = []
  for (const layout of scan.layouts) {
    const points = new Map<bigint, number>()
    const given = new Map<number, Set<bigint>>()
    const proven = new Set<number>()
    const places = vote(scan, offsets, (value, at) => {
      const seen = given.get(at) ?? new Set<bigint>()
      given.set(at, seen)
      if (scan.isFileData(value)) return 0
      if (seen.has(value)) return NOT_IT
      seen.add(value)
      const known = points.get(value) ?? gradeCache(scan.context, value, layout)
      points.set(value, known)
      if (known === SOUND) proven.add(at)
      return known
    }).filter(({ at }) => layout === scan.layouts[0] || proven.has(at))
    if (places.length > 0 && (best.length === 0 || places[0]!.score > best[0]!.score)) {
      best = places.map((place) => ({ ...place, layout }))
    }
  }
  return best
}

function placesOfArenas(scan: TlsScan, offsets: readonly number[]): readonly Place[] {
  return vote(scan, offsets, (value) => (scan.isArena(value) ? 1 : -1))
}

// The places with the highest score above 0.
function vote(
  { context, pointers }: TlsScan,
  offsets: readonly number[],
  points: (value: bigint, at: number) => number,
): Place[] {
  const { memory, layout } = context
  const scores = new Int32Array(offsets.length)
  const every = Math.ceil(pointers.length / MOST_VOTERS)
  for (let i = 0; i < pointers.length; i += every) {
    offsets.forEach((at, index) => {
      const value = memory.word(pointers[i]! + BigInt(at), layout.wordBytes)
      if (value !== null && value !== 0n) scores[index]! += points(value, at)
    })
  }
  const most = scores.reduce((a, b) => Math.max(a, b), 0)
  if (most === 0) return []
  return offsets.flatMap((at, index) => (scores[index] === most ? [{ at, score: most, layout: null }] : []))
}

function gradeCache(context: TcacheContext, value: bigint, tcache: TcacheLayout): number {
  if (!isOwnChunk(context, value, tcache)) return NOT_IT
  const known = context.known?.get(value)
  const reading =
    known?.layout.sizeBytes === tcache.sizeBytes
      ? known.reading
      : readTcache(context, address(value), tcache, null)
  if (reading === null) return NOT_IT
  if (reading.empty) return reading.capacity === 0 ? 0 : 2
  if (reading.brokenBins === 0) {
    context.known?.set(value, { layout: tcache, reading })
    return SOUND
  }
  return reading.soundBins > 0 ? 1 : 0
}

/** True when `user` is user memory of a used chunk that can hold a struct of this layout. */
export function isOwnChunk({ memory, layout }: TcacheContext, user: bigint, tcache: TcacheLayout): boolean {
  const word = layout.wordBytes
  if ((user & BigInt(layout.chunkAlign - 1)) !== 0n) return false
  const head = memory.word(user - BigInt(word), word)
  if (head === null || (head & 2n) !== 0n) return false
  const size = Number(head & ~7n)
  if (!tcache.chunkSizes.includes(size)) return false
  const next = memory.word(user + BigInt(size - word), word)
  return next !== null && (next & 1n) !== 0n
}

function nearest(caches: readonly Place[], arenas: readonly Place[]): { cache: Place; arena: Place } | null {
  let best: { cache: Place; arena: Place } | null = null
  let least = Number.POSITIVE_INFINITY
  for (const cache of caches) {
    for (const arena of arenas) {
      const apart = Math.abs(cache.at - arena.at)
      if (apart === 0 || apart >= least) continue
      least = apart
      best = { cache, arena }
    }
  }
  return best
}
