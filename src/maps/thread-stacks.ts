// Which anonymous memory is a thread's stack or its guard: by stack pointers, else by shape.
import { regionAt, sizeOf } from '../memory/region.js'
import type { Thread } from '../target/target.js'
import type { Stretch } from './claims.js'
import { categoryOfName, isAnonymous, isForbidden } from './mapped-path.js'

/** glibc's default guard is one page; programs that ask for more rarely pass this. */
const GUARD_MOST_BYTES = 2 ** 20
/** Stack sizes are asked for in round numbers; glibc puts the guard inside (≤ 2.26) or on top of that. */
const STACK_GRAIN_BYTES = 64 * 1024
/** `ulimit -s` of nearly every system, and so pthread's default. */
const DEFAULT_STACK_BYTES = 8 * 2 ** 20

/** Stretches that are stacks and guards. */
export interface Stacks {
  readonly main: Stretch | null
  readonly threads: ReadonlySet<Stretch>
  readonly guards: ReadonlySet<Stretch>
}

/**
 * Stacks among unclaimed stretches. A stretch that holds a stack pointer is one as a whole, also when it holds several:
 * since glibc 2.42 neighbouring stacks merge into one mapping. Without stack pointer it takes a guard below, and the size
 * of a stack that is known (of the default when none is of that size; any round size when no stack pointers are known).
 */
export function findStacks(stretches: readonly Stretch[], threads: readonly Thread[]): Stacks {
  const held = new Set<Stretch>()
  for (const { stackPointer } of threads) {
    const stretch = stackPointer === null ? null : regionAt(stretches, stackPointer)
    if (stretch && isPlain(stretch)) held.add(stretch)
  }
  const main = stretches.some(({ region }) => region.path === '[stack]')
    ? null
    : mainStack(stretches, threads, held)
  if (main) held.delete(main)
  const knownSizes = new Set([...held].map(sizeOf))
  const known = threads.some(({ stackPointer }) => stackPointer !== null)
  const stacks = new Set(held)
  const guards = new Set<Stretch>()
  stretches.forEach((stretch, i) => {
    const guard = guardBelow(stretches, i)
    if (guard === null) return
    if (held.has(stretch)) {
      if (sizeOf(guard) <= Math.max(GUARD_MOST_BYTES, sizeOf(stretch))) guards.add(guard)
    } else if (looksLikeStack(stretch, guard, known ? knownSizes : null)) {
      stacks.add(stretch)
      guards.add(guard)
    }
  })
  return { main, threads: stacks, guards }
}

function looksLikeStack(stretch: Stretch, guard: Stretch, knownSizes: ReadonlySet<number> | null): boolean {
  const { permissions } = stretch.region
  if (!isPlain(stretch) || !permissions.read || !permissions.write || sizeOf(guard) > GUARD_MOST_BYTES)
    return false
  const bytes = sizeOf(stretch)
  const total = bytes + sizeOf(guard)
  if (bytes === DEFAULT_STACK_BYTES || total === DEFAULT_STACK_BYTES) return true
  if (knownSizes) return knownSizes.has(bytes)
  return bytes % STACK_GRAIN_BYTES === 0 || total % STACK_GRAIN_BYTES === 0
}

function guardBelow(stretches: readonly Stretch[], i: number): Stretch | null {
  const below = stretches[i - 1]
  const touches = below !== undefined && below.end === stretches[i]!.start
  return touches && isPlain(below) && isForbidden(below.region) ? below : null
}

/** In a target without mapping names (a core): the first thread's stack, if it lies above all others. */
function mainStack(
  stretches: readonly Stretch[],
  threads: readonly Thread[],
  held: ReadonlySet<Stretch>,
): Stretch | null {
  const lowest = threads.reduce<Thread | null>((a, b) => (a === null || b.tid < a.tid ? b : a), null)
  if (lowest === null || lowest.stackPointer === null) return null
  const stretch = regionAt(stretches, lowest.stackPointer)
  if (stretch === null || !held.has(stretch)) return null
  return [...held].every((other) => other.start <= stretch.start) ? stretch : null
}

/** Unclaimed anonymous memory whose name says nothing. */
function isPlain({ region, claimed }: Stretch): boolean {
  return claimed === null && isAnonymous(region) && categoryOfName(region) === null
}
