// The limit of arenas in a running process: whether glibc still heeds it, and setting it.
import { minorVersion } from '../malloc/layout.js'
import { type Address, address } from '../memory/address.js'
import { readWord } from '../memory/memory-source.js'
import { MiError } from '../mi/mi-error.js'
import { FileGdb } from '../target/gdb/file-gdb.js'
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import { Refusal } from './refusal.js'
import { type ControlledTarget, type VisitDone, type VisitOptions, visit } from './visit.js'

/** malloc.h */
const M_ARENA_MAX = -8

/** What decides about new arenas; glibc malloc/arena.c, arena_get2. */
export interface LimitState {
  readonly arenas: number
  /** mp_.arena_test and mp_.arena_max (0: not set). */
  readonly arenaTest: number | null
  readonly arenaMax: number | null
  /** arena_get2's static narenas_limit, which debug information tells; 0: not computed yet. */
  readonly narenasLimit: { readonly address: Address; readonly value: number } | null
  /**
   * `mallopt`: the limit is not computed yet and will be taken from mp_.arena_max. `write`: it is, and narenas_limit
   * can be written. `none`: it is, or may be, and nothing can be done while the process runs.
   */
  readonly way: 'mallopt' | 'write' | 'none'
}

/** Reads the state; gdb opens libc's files for it and touches no process. */
export async function readLimitState(
  { target, malloc }: ControlledTarget,
  gdb: GdbOptions = {},
): Promise<LimitState> {
  const arenas = malloc.model.arenas.length
  const { arenaTest = null, arenaMax = null } = malloc.model.parameters ?? {}
  const at = await narenasLimitAt(target, gdb)
  const value = at === null ? null : Number(readWord(target.memory, at, target.wordBytes))
  const narenasLimit = at === null || value === null ? null : { address: at, value }
  const state = { arenas, arenaTest, arenaMax, narenasLimit }
  return { ...state, way: wayOf(state, minorVersion(malloc.model.glibc.version)) }
}

/**
 * The limit is computed by the first thread that wants a new arena once mp_.arena_max is set or more than arena_test
 * arenas exist, and is never computed again. `minor`: from 2.44 on it is computed at once.
 */
export function wayOf(
  { arenas, arenaTest, arenaMax, narenasLimit }: Omit<LimitState, 'way'>,
  minor: number | null,
): LimitState['way'] {
  if (narenasLimit) return narenasLimit.value === 0 ? 'mallopt' : 'write'
  if (arenas === 1) return 'mallopt'
  if (arenaTest === null || arenaMax === null || minor === null || minor >= 44) return 'none'
  return arenaMax === 0 && arenas <= arenaTest ? 'mallopt' : 'none'
}

async function narenasLimitAt(
  target: ControlledTarget['target'],
  options: GdbOptions,
): Promise<Address | null> {
  const files = new FileGdb(target, options, () => {})
  try {
    const { session } = await files.withMalloc()
    const text = await session.console('output &arena_get2::narenas_limit')
    const found = /^\((?:size_t|unsigned \w+) \*\) (0x[0-9a-f]+)/.exec(text)
    return found ? address(BigInt(found[1]!)) : null
  } catch (error) {
    if (error instanceof MiError) return null
    throw error
  } finally {
    await files.close()
  }
}

/** Throws a Refusal that says what would work, when nothing works in the running process. */
export function refuseIfLatched(state: LimitState, arenaMax: number): void {
  if (state.way !== 'none') return
  const why =
    state.arenaTest === null
      ? 'its arena_test is unknown'
      : `it has ${state.arenas} arenas, and glibc computes its limit for good once there are more than ${state.arenaTest}, or M_ARENA_MAX was set`
  throw new Refusal(
    'latched',
    `the limit of this process is, or may be, latched: ${why}; setting M_ARENA_MAX would do nothing, so nothing was changed`,
    `restart it with MALLOC_ARENA_MAX=${arenaMax}, or install libc's debug symbols (apt-get install libc6-dbg), with which the latched limit itself can be set`,
  )
}

export interface LimitOutcome {
  readonly way: 'mallopt' | 'write'
  readonly before: LimitState
  /** Read back after it. */
  readonly arenaMax: number | null
  readonly narenasLimit: number | null
  readonly visit: VisitDone
}

/** Sets the limit by the way that `state` tells. Existing arenas stay. Throws Refusal, MiError. */
export async function limit(
  controlled: ControlledTarget,
  state: LimitState,
  arenaMax: number,
  options: VisitOptions = {},
): Promise<LimitOutcome> {
  refuseIfLatched(state, arenaMax)
  const { target, malloc } = controlled
  const { narenasLimit } = state
  const latched = narenasLimit !== null && state.way === 'write'
  const done = await visit(
    controlled,
    latched
      ? { calls: ['write'], write: [Number(narenasLimit.address), arenaMax] }
      : { calls: ['mallopt'], mallopt: [M_ARENA_MAX, arenaMax] },
    options,
  )
  if (!latched && done.results.mallopt !== 1) {
    throw new Refusal('other', 'mallopt(M_ARENA_MAX) answered that it failed', 'nothing was changed')
  }
  const word = (at: Address | null) => at && Number(readWord(target.memory, at, target.wordBytes))
  const par = malloc.model.glibc.mallocPar
  return {
    way: latched ? 'write' : 'mallopt',
    before: state,
    // trim_threshold, top_pad, mmap_threshold and arena_test come before it.
    arenaMax: word(par && address(par + BigInt(4 * target.wordBytes))),
    narenasLimit: word(narenasLimit?.address ?? null),
    visit: done,
  }
}
