// What is at an address: mapping, chunk, arena and threads, as `arena-inspect what --json` writes it.
import type { MallocState } from '../../malloc/read-heap-model.js'
import type { Category } from '../../maps/categories.js'
import type { Piece } from '../../maps/categorize.js'
import { type Address, hex, offset } from '../../memory/address.js'
import { permissionText, regionAt } from '../../memory/region.js'
import type { InspectedSession } from '../../session/inspected-session.js'
import { TargetSession } from '../../session/open-session.js'
import { CHUNK_STATES, type ChunkMark, type ChunkState } from '../../session/session.js'

export const WHAT_SCHEMA = 'arena-inspect-what/1'

/** The stretch of a mapping, in one category, that holds the address. */
export interface WhatMapping {
  readonly start: string
  readonly end: string
  readonly category: Category
  /** Of the stretch; null where unknown. */
  readonly residentBytes: number | null
  readonly permissions: string
  /** Null for anonymous memory. */
  readonly path: string | null
  /** Of the address in `path`; null for what is no file. */
  readonly fileOffset: string | null
}

export interface WhatChunk {
  /** Of its header. */
  readonly address: string
  readonly sizeBytes: number
  /**
   * Exact, or by its header only where its lists could not be asked (and in snapshots): `used` (live, or in a fastbin or
   * tcache) and `free`.
   * `heap header`: heap_info and malloc_state.
   */
  readonly state: ChunkState | 'used' | 'free' | 'heap header'
  /** What malloc returned for it; null for what the program never got. */
  readonly userAddress: string | null
  /** How far into the chunk the address is. */
  readonly offsetBytes: number
  /** Null for a chunk with its own mapping. */
  readonly arena: number | null
  /** The thread in whose tcache it waits. */
  readonly tcacheOf: number | null
}

export interface WhatArena {
  readonly index: number
  readonly address: string
  readonly systemBytes: number | null
  readonly inUseBytes: number | null
  /** heap_info of the heap that holds the address; null outside of its heaps, e.g. in main_arena itself. */
  readonly heap: string | null
  /** Its threads. */
  readonly threads: readonly WhatThread[]
}

export interface WhatThread {
  readonly tid: number
  readonly name: string | null
}

/** A thread whose stack, or whose tcache's own struct, holds the address. */
export interface WhatOwner extends WhatThread {
  readonly has: 'stack' | 'tcache'
  /** Bytes above its stack pointer; below (negative) nothing is in use. Null for a tcache. */
  readonly aboveStackPointerBytes: number | null
}

/** Null is what does not apply or could not be known. */
export interface WhatDocument {
  readonly schema: typeof WHAT_SCHEMA
  readonly address: string
  /** False when the target was read in part: a chunk may be missing. */
  readonly complete: boolean
  /** `name+offset`, by gdb. */
  readonly symbol: string | null
  /** Null: nothing is mapped there. */
  readonly mapping: WhatMapping | null
  readonly chunk: WhatChunk | null
  readonly arena: WhatArena | null
  /** Null for a snapshot, which does not tell. */
  readonly threads: readonly WhatOwner[] | null
  /** Where nothing is mapped: the last mapped address below, and the first above. */
  readonly nearest: { readonly below: string | null; readonly above: string | null } | null
}

/** Looks the address up; of a live process, in memory as it is at this moment. Not for saved reports. */
export async function whatIsAt(session: InspectedSession, at: Address): Promise<WhatDocument> {
  const target = session instanceof TargetSession ? session : null
  const malloc = target?.measurement.malloc ?? null
  const piece = regionAt(session.pieces, at)
  const [symbol = null] = await session.symbolsOf([at])
  const chunk = piece ? chunkAt(session, malloc, at) : null
  const near = (direction: 1 | -1) => {
    const found = session.nextMapped(at, direction)
    return found === null ? null : hex(found)
  }
  return {
    schema: WHAT_SCHEMA,
    address: hex(at),
    complete: session.report.complete,
    symbol,
    mapping: piece && mappingOf(piece, at),
    chunk,
    arena: piece ? arenaAt(session, malloc, at, chunk?.arena ?? null) : null,
    threads: target && [...(piece ? stacksAt(target, piece, at) : []), ...tcachesAt(malloc, chunk)],
    nearest: piece ? null : { below: near(-1), above: near(1) },
  }
}

function mappingOf({ start, end, category, residentBytes, region }: Piece, at: Address): WhatMapping {
  const isFile = region.path?.startsWith('/') === true
  return {
    start: hex(start),
    end: hex(end),
    category,
    residentBytes,
    permissions: permissionText(region.permissions),
    path: region.path,
    fileOffset: isFile ? hex(at - region.start + region.fileOffset) : null,
  }
}

function chunkAt(session: InspectedSession, malloc: MallocState | null, at: Address): WhatChunk | null {
  const [mark] = session.chunksIn(at, offset(at, 1))
  const own = malloc?.model.mmapped.found.find(
    (one) => at >= one.address && at < offset(one.address, one.bytes),
  )
  if (!mark && !own) return null
  const start = own ? own.address : mark!.address
  const header = 2 * session.wordBytes
  const state = own ? 'mmapped' : stateOf(session, mark!)
  const holder = state === 'tcache' ? malloc?.model.caches.find(({ chunks }) => chunks.includes(start)) : null
  const isBlock = state !== 'heap header' && state !== 'top' && state !== 'fencepost'
  return {
    address: hex(start),
    sizeBytes: own ? own.bytes : mark!.sizeBytes,
    state,
    userAddress: isBlock ? hex(offset(start, header)) : null,
    offsetBytes: Number(at - start),
    arena: own ? null : mark!.arenaIndex,
    tcacheOf: holder?.tid ?? null,
  }
}

// The header only says used or free; which list has it is known by a walk of its arena, which takes its memory.
function stateOf(
  session: InspectedSession,
  { address: start, arenaIndex, sizeBytes, state }: ChunkMark,
): WhatChunk['state'] {
  if (state === 'arena') return 'heap header'
  if (state === 'top' || state === 'fencepost') return state
  if (!(session instanceof TargetSession)) return state
  const same = { arena: arenaIndex, minBytes: sizeBytes, maxBytes: sizeBytes }
  for (const { count, addresses, states } of session.chunkBatches(same)) {
    const row = addresses.subarray(0, count).indexOf(start)
    if (row >= 0) return CHUNK_STATES[states[row]!]!
  }
  return state
}

function arenaAt(
  session: InspectedSession,
  malloc: MallocState | null,
  at: Address,
  index: number | null,
): WhatArena | null {
  const { arenas, threads } = session.report.heap ?? { arenas: [], threads: [] }
  const heap = session
    .heaps()
    ?.find(({ address, reservedBytes }) => at >= address && at < offset(address, reservedBytes))
  const isItself = ({ address: own }: { readonly address: string }) => {
    const distance = at - BigInt(own)
    return malloc !== null && distance >= 0n && distance < malloc.layout.arena.sizeBytes
  }
  const wanted = index ?? heap?.arena
  const arena = arenas.find((one) => one.index === wanted) ?? arenas.find(isItself)
  if (!arena) return null
  return {
    index: arena.index,
    address: arena.address,
    systemBytes: arena.systemBytes,
    inUseBytes: arena.inUseBytes,
    heap: heap ? hex(heap.address) : null,
    threads: threads.filter((thread) => thread.arena === arena.index).map(({ tid, name }) => ({ tid, name })),
  }
}

function stacksAt(session: TargetSession, piece: Piece, at: Address): WhatOwner[] {
  if (piece.category !== 'thread stacks' && piece.category !== 'main stack') return []
  return session.target
    .threads()
    .filter(({ stackPointer: sp }) => sp !== null && sp >= piece.start && sp < piece.end)
    .map(({ tid, name, stackPointer }) => ({
      tid,
      name,
      has: 'stack',
      aboveStackPointerBytes: Number(at - stackPointer!),
    }))
}

// A thread's tcache_perthread_struct is the user memory of a chunk of its own.
function tcachesAt(malloc: MallocState | null, chunk: WhatChunk | null): WhatOwner[] {
  const names = new Map(malloc?.model.threads.map(({ tid, name }) => [tid, name]))
  return (malloc?.model.caches ?? []).flatMap(({ address: start, tid }): WhatOwner[] =>
    tid !== null && hex(start) === chunk?.userAddress
      ? [{ tid, name: names.get(tid) ?? null, has: 'tcache', aboveStackPointerBytes: null }]
      : [],
  )
}
