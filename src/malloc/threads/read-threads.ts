// What each thread keeps of malloc: its arena and its tcache, from its thread-local memory.
import { type Address, address, hex } from '../../memory/address.js'
import { PageCache } from '../../memory/page-cache.js'
import { regionAt } from '../../memory/region.js'
import type { Symbols, Target, Thread } from '../../target/target.js'
import type { Anomaly, Arena } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { type IsUsedChunk, readTcache, type TcacheContext, type TcacheReading } from './read-tcache.js'
import { type TcacheLayout, tcacheLayoutOfStruct, tcacheLayouts } from './tcache-layout.js'
import type { ThreadCache, ThreadMalloc } from './thread-cache.js'
import { threadPointers } from './thread-pointers.js'
import { findTlsOffsets, isOwnChunk, type TlsOffsets } from './tls-scan.js'

/** What malloc has for the threads of a target. */
export interface ThreadsMalloc {
  /** In the order of target.threads(). */
  readonly threads: readonly ThreadMalloc[]
  /** The caches of those threads. */
  readonly caches: readonly ThreadCache[]
  readonly anomalies: readonly Anomaly[]
  /**
   * True when of every thread its cache was found, or it was seen that it has none. False leaves room for caches that
   * only their content can tell (`cachesByContent`).
   */
  readonly allFound: boolean
  /** Threads of which it is not known whether they have a cache, and those of them that have one which is destroyed. */
  readonly unknown: number
  readonly destroyed: number
  /** `no-tcache`: a glibc before 2.26. `none`: no place of thread-local memory qualifies as the variable tcache. */
  readonly how: 'tls-scan' | 'no-tcache' | 'none'
  /** Layouts that a tcache of this target can have: the one that was seen, else all that are possible. */
  readonly layouts: readonly TcacheLayout[]
  /** For `known` of another look at a process. */
  readonly reads: TcacheReads
}

/** Sound tcaches by address. */
export type TcacheReads = Map<bigint, { readonly layout: TcacheLayout; readonly reading: TcacheReading }>

const LIVE_RETRIES = 3
const CACHED_LINES = 1024

/**
 * Reads what each thread has of malloc. `minor`: of glibc 2.x, null when unknown; it is a hint, memory decides.
 * `isUsedChunk` sharpens what counts as a proper list; `still`: memory does not move; `known`: from a look before. Damage is told by anomalies (`tcache-broken`,
 * `thread-arena-broken`), never thrown; of a live target a cache that moves is read again a few times.
 */
export async function readThreads(
  target: Target,
  symbols: Symbols | null,
  layout: GlibcLayout,
  minor: number | null,
  arenas: readonly Pick<Arena, 'address'>[],
  {
    isUsedChunk = null,
    still = target.kind !== 'live',
    known: before,
  }: {
    readonly isUsedChunk?: IsUsedChunk | null
    readonly still?: boolean
    readonly known?: TcacheReads
  } = {},
): Promise<ThreadsMalloc> {
  const reads = readsOf(target, before ?? null)
  const context: TcacheContext = {
    // Each chunk of a list is in a line of its own and is looked at once.
    memory: new PageCache(target.memory, CACHED_LINES),
    layout,
    isUsedChunk,
    ...(still ? { known: reads } : {}),
  }
  const layouts = await possibleLayouts(symbols, layout, minor)
  const pointers = threadPointers(target)
  const reader = new ThreadReader(target, context, arenas, still, reads)
  const sound = [...pointers.values()].filter((pointer) => reader.isThere(pointer))
  const regions = target.regions()
  const offsets = findTlsOffsets({
    context,
    pointers: sound,
    side: target.machine === 'aarch64' ? 'above' : 'below',
    layouts,
    isArena: (at) => reader.isArena(at),
    isFileData: (at) => regionAt(regions, at)?.path?.startsWith('/') ?? false,
  })
  const threads = target.threads().map((thread) => reader.read(thread, pointers.get(thread.tid), offsets))
  return {
    threads,
    caches: threads.flatMap(({ cache }) => cache ?? []),
    anomalies: reader.anomalies,
    allFound: layouts.length === 0 || (threads.length > 0 && reader.unknown === 0),
    unknown: reader.unknown,
    destroyed: reader.destroyed,
    how: layouts.length === 0 ? 'no-tcache' : offsets.tcache === null ? 'none' : 'tls-scan',
    layouts: offsets.layout ? [offsets.layout] : layouts,
    reads,
  }
}

// Those whose counts and list heads are what they were.
function readsOf(target: Target, before: TcacheReads | null): TcacheReads {
  const caches: TcacheReads = new Map()
  for (const [at, known] of before ?? []) {
    const { struct } = known.reading
    const now = new Uint8Array(struct.length)
    if (target.memory.read(address(at), now) === now.length && now.every((byte, i) => byte === struct[i])) {
      caches.set(at, known)
    }
  }
  return caches
}

// Debug information first: it knows what a distribution has ported back.
async function possibleLayouts(
  symbols: Symbols | null,
  { wordBytes }: GlibcLayout,
  minor: number | null,
): Promise<readonly TcacheLayout[]> {
  const layouts = tcacheLayouts(minor, wordBytes)
  const tag = 'tcache_perthread_struct'
  const told = tcacheLayoutOfStruct((await symbols?.layoutsOf([tag]))?.get(tag), wordBytes)
  return told ? [told, ...layouts.filter(({ entries }) => entries !== told.entries)] : layouts
}

class ThreadReader {
  readonly anomalies: Anomaly[] = []
  /** Threads of which it is not known whether they have a cache. */
  unknown = 0
  /** Of those: their pointer leads to no cache, but it is not null. */
  destroyed = 0
  readonly #arenas: ReadonlySet<bigint>
  readonly #judged = new Map<bigint, boolean>()

  constructor(
    readonly target: Target,
    readonly context: TcacheContext,
    arenas: readonly Pick<Arena, 'address'>[],
    readonly still: boolean,
    readonly reads: TcacheReads,
  ) {
    this.#arenas = new Set(arenas.map((arena) => arena.address))
  }

  /** False where the thread's own memory was not kept: x86 has the thread pointer itself at its address, aarch64 the dtv. */
  isThere(pointer: Address): boolean {
    const own = this.#word(pointer)
    return this.target.machine === 'aarch64' ? own !== null && own !== 0n : own === pointer
  }

  /** An arena of the ring, or one behind a break of the ring: a heap_info right before it names it. */
  isArena(at: bigint): boolean {
    if (this.#arenas.has(at)) return true
    const { layout } = this.context
    const heap = at - BigInt(layout.heapInfo.sizeBytes)
    if (heap <= 0n || (heap & 0xfffffn) !== 0n) return false
    const known = this.#judged.get(at) ?? this.#word(heap + BigInt(layout.heapInfo.arena)) === at
    this.#judged.set(at, known)
    return known
  }

  read({ tid, name }: Thread, pointer: Address | undefined, offsets: TlsOffsets): ThreadMalloc {
    if (pointer === undefined || !this.isThere(pointer)) {
      this.unknown++
      return { tid, name, threadPointer: pointer ?? null, arena: null, cache: null }
    }
    const arena = offsets.arena === null ? null : this.#arenaOf(tid, pointer + BigInt(offsets.arena))
    return { tid, name, threadPointer: pointer, arena, cache: this.#cacheOf(tid, pointer, offsets) }
  }

  #arenaOf(tid: number, variable: bigint): Address | null {
    const value = this.#word(variable)
    if (value === null || value === 0n) return null
    if (this.isArena(value)) return address(value)
    this.#note(variable, 'thread-arena-broken', `thread_arena of thread ${tid} is ${hex(value)}, no arena`)
    return null
  }

  #cacheOf(tid: number, pointer: Address, { tcache, layout }: TlsOffsets): ThreadCache | null {
    const variable = tcache === null ? null : pointer + BigInt(tcache)
    const at = variable === null ? null : this.#word(variable)
    if (variable === null || at === null || layout === null) {
      this.unknown++
      return null
    }
    const region = regionAt(this.target.regions(), at)
    if (at === 0n || region?.path?.startsWith('/')) return null
    const reading = this.#readCache(at as Address, layout, tid)
    const fits = isOwnChunk(this.context, at, layout)
    if (reading && (fits || reading.soundBins > reading.brokenBins)) {
      this.anomalies.push(...reading.anomalies)
      if (!fits) this.#note(at, 'tcache-broken', `the chunk of thread ${tid}'s tcache has an impossible size`)
      return reading.cache
    }
    this.unknown++
    this.destroyed++
    this.#note(variable, 'tcache-broken', `the tcache pointer of thread ${tid} is ${hex(at)}, no tcache`)
    return null
  }

  #readCache(at: Address, layout: TcacheLayout, tid: number): ReturnType<typeof readTcache> {
    const known = this.context.known?.get(at)
    if (known?.layout.sizeBytes === layout.sizeBytes)
      return { ...known.reading, cache: { ...known.reading.cache, tid } }
    let reading = readTcache(this.context, at, layout, tid)
    const retries = this.still ? 0 : LIVE_RETRIES
    for (let tried = 0; tried < retries && !reading?.cache.complete; tried++) {
      this.context.memory.clear()
      reading = readTcache(this.context, at, layout, tid)
    }
    if (reading?.cache.complete) this.reads.set(at, { layout, reading })
    return reading
  }

  #word(at: bigint): bigint | null {
    return this.context.memory.word(at, this.context.layout.wordBytes)
  }

  #note(at: bigint, code: string, what: string): void {
    this.anomalies.push({ at: address(BigInt.asUintN(64, at)), code, what })
  }
}
