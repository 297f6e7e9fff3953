// Where the address space goes: every byte of every mapping into exactly one category.
import type { Address } from '../memory/address.js'
import { type Region, sizeOf } from '../memory/region.js'
import type { Thread } from '../target/target.js'
import { CATEGORIES, type Category, type CategorySum } from './categories.js'
import { type Claim, cut, type Stretch } from './claims.js'
import { categoryOfName, elfPaths, filePath, isAnonymous, isForbidden } from './mapped-path.js'
import { findStacks } from './thread-stacks.js'

export type { Claim } from './claims.js'

/** A stretch of one mapping in one category. Pieces are sorted by address and tile the mappings exactly. */
export interface Piece {
  readonly start: Address
  readonly end: Address
  readonly category: Category
  /** The mapping that holds it. */
  readonly region: Region
  /** In RAM now; null where unknown. */
  readonly residentBytes: number | null
}

/** What is known of an address space. */
export interface AddressSpace {
  /** Sorted by start, not overlapping. */
  readonly regions: readonly Region[]
  readonly threads: readonly Thread[]
  /** What malloc holds; on an overlap the first in the list wins. Parts outside of the regions are ignored. */
  readonly claims: readonly Claim[]
  /** Bytes in RAM of a range; absent where nothing is known (a core). */
  readonly residentBytes?: ((start: Address, end: Address) => number | null) | undefined
  /** The main program as the target saw it; without it the lowest ELF file that is no `.so` is taken for it. */
  readonly programPath?: string | null | undefined
}

/** Pieces of the address space, and their sums in the order of CATEGORIES without those that have no mappings. */
export function categorize(space: AddressSpace): { pieces: Piece[]; sums: CategorySum[] } {
  const stretches = cut(space.regions, space.claims)
  const categories = classify(stretches, space)
  const pieces: Piece[] = []
  for (let i = 0; i < stretches.length; ) {
    const { start, region } = stretches[i]!
    const category = categories[i]!
    let last = i
    while (stretches[last + 1]?.region === region && categories[last + 1] === category) last++
    const { end } = stretches[last]!
    pieces.push({ start, end, category, region, residentBytes: space.residentBytes?.(start, end) ?? null })
    i = last + 1
  }
  return { pieces, sums: sumUp(pieces) }
}

function classify(stretches: readonly Stretch[], space: AddressSpace): Category[] {
  const elf = elfPaths(space.regions)
  const program = space.programPath ? filePath(space.programPath) : lowestProgram(space.regions, elf)
  const stacks = findStacks(stretches, space.threads)
  const out: Category[] = []
  stretches.forEach((stretch, i) => {
    const { region, claimed } = stretch
    const below = stretches[i - 1]
    if (claimed) out.push(claimed)
    else if (stretch === stacks.main) out.push('main stack')
    else if (stacks.threads.has(stretch)) out.push('thread stacks')
    else if (stacks.guards.has(stretch)) out.push('stack guards')
    else if (below && isBss(stretch, below, elf, program)) out.push(out[i - 1]!)
    else out.push(categoryOfName(region) ?? categoryOfFile(region, elf, program))
  })
  return out
}

function categoryOfFile(region: Region, elf: ReadonlySet<string>, program: string | null): Category {
  if (region.path === null || isAnonymous(region))
    return isForbidden(region) ? 'other reserved' : 'other anonymous'
  if (filePath(region.path) === program) return 'program'
  return elf.has(region.path) ? 'shared libraries' : 'files'
}

/** Zero-initialised data has no file: it is the writable anonymous mapping directly after an ELF file's last one. */
function isBss(stretch: Stretch, below: Stretch, elf: ReadonlySet<string>, program: string | null): boolean {
  const path = below.region.path
  if (path === null || below.claimed || below.end !== stretch.start) return false
  if (stretch.region.path !== null || !isAnonymous(stretch.region) || !stretch.region.permissions.write)
    return false
  if (!elf.has(path) && filePath(path) !== program) return false
  return !below.region.permissions.shared && categoryOfName(below.region) === null
}

function lowestProgram(regions: readonly Region[], elf: ReadonlySet<string>): string | null {
  const found = regions.find(({ path }) => path !== null && elf.has(path) && !/\.so(\.|$| )/.test(path))
  return found?.path ? filePath(found.path) : null
}

function sumUp(pieces: readonly Piece[]): CategorySum[] {
  const sums = new Map<
    Category,
    { mappings: number; virtualBytes: number; residentBytes: number | null; last: Region }
  >()
  for (const piece of pieces) {
    const bytes = sizeOf(piece)
    const sum = sums.get(piece.category)
    if (!sum) {
      sums.set(piece.category, {
        mappings: 1,
        virtualBytes: bytes,
        residentBytes: piece.residentBytes,
        last: piece.region,
      })
      continue
    }
    if (sum.last !== piece.region) sum.mappings++
    sum.last = piece.region
    sum.virtualBytes += bytes
    sum.residentBytes = add(sum.residentBytes, piece.residentBytes)
  }
  return CATEGORIES.flatMap((category) => {
    const sum = sums.get(category)
    if (!sum) return []
    const { mappings, virtualBytes, residentBytes } = sum
    return [{ category, mappings, virtualBytes, residentBytes }]
  })
}

function add(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b
}
