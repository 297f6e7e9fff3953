// The heaps of the matrix: which shape a process is brought into, and under which settings.
import { readFileSync } from 'node:fs'
import type { HeapModel } from '../../src/malloc/heap-model.js'
import type { Architecture, Release } from './glibcs.js'

/** One process of the matrix. */
export interface MatrixCase {
  readonly name: string
  /** Of test/programs/heap-shapes.c. */
  readonly shape: string
  readonly env?: Readonly<Record<string, string>>
  /** Started as `ld.so --library-path … program`: then the loader is what the kernel calls the executable. */
  readonly byLoader?: boolean
  /** Whether the process is what its name says: settings that a glibc does not know are ignored without a word. */
  readonly as: (model: HeapModel, release: Release) => boolean
  /** Why it cannot be on a glibc, or false. */
  readonly impossible?: (release: Release, architecture: Architecture) => string | false
}

const tunables = (text: string) => ({ GLIBC_TUNABLES: text })
const since = (first: number, what: string) => (release: Release) =>
  minor(release) < first && `${what} is since 2.${first}`
const minor = (release: Release) => Number(release.slice(2))

export const CASES: readonly MatrixCase[] = [
  { name: 'main-only', shape: 'main-only', as: ({ arenas }) => arenas.length === 1 },
  {
    name: 'fastbins',
    shape: 'fastbins',
    as: ({ arenas }, release) =>
      arenas.every(({ fastbinBytes }) => fastbinBytes! > 0 === minor(release) < 43),
  },
  { name: 'tcache', shape: 'tcache', as: severalArenas },
  { name: 'many-heaps', shape: 'many-heaps', as: severalHeaps },
  { name: 'foreign-sbrk', shape: 'foreign-sbrk', as: ({ arenas }) => arenas[0]!.heaps.length === 2 },
  { name: 'noncontiguous', shape: 'noncontiguous', as: ({ arenas }) => arenas[0]!.heaps.length > 3 },
  { name: 'mmapped', shape: 'mmapped', as: ({ mmapped }) => mmapped.count === 13 },
  { name: 'trimmed', shape: 'trimmed', as: severalArenas },
  { name: 'arenas', shape: 'arenas', as: severalArenas },
  { name: 'arenas-64', shape: 'arenas-64', as: ({ arenas }) => arenas.length === 64 },
  {
    name: 'fork',
    shape: 'fork',
    as: (model) =>
      severalArenas(model) && model.arenas.every((arena) => arena.attachedThreads === Number(arena.isMain)),
  },
  {
    name: 'beyond-4gib',
    shape: 'beyond-4gib',
    as: ({ mmapped }) => mmapped.bytes! > 2 ** 32,
    impossible: (_, architecture) => architecture === 'i386' && 'i386 has no 4 GiB',
  },
  { name: 'by loader', shape: 'arenas', byLoader: true, as: severalArenas },
  {
    name: 'MALLOC_ARENA_MAX=1',
    shape: 'arenas',
    env: { MALLOC_ARENA_MAX: '1' },
    as: ({ arenas }) => arenas.length === 1,
  },
  {
    name: 'arena_max=3',
    shape: 'arenas',
    env: tunables('glibc.malloc.arena_max=3'),
    as: ({ arenas }) => arenas.length === 3,
  },
  {
    name: 'tcache_count=0',
    shape: 'tcache',
    env: tunables('glibc.malloc.tcache_count=0'),
    as: severalArenas,
  },
  {
    name: 'tcache_max=4096',
    shape: 'tcache',
    env: tunables('glibc.malloc.tcache_max=4096'),
    as: severalArenas,
  },
  {
    name: 'mxfast=0',
    shape: 'fastbins',
    env: tunables('glibc.malloc.mxfast=0'),
    as: ({ arenas }) => arenas.every(({ fastbinBytes }) => fastbinBytes === 0),
  },
  { name: 'perturb=165', shape: 'fastbins', env: tunables('glibc.malloc.perturb=165'), as: severalArenas },
  {
    name: 'top_pad=1 MiB',
    shape: 'arenas',
    env: tunables('glibc.malloc.top_pad=1048576'),
    as: ({ arenas }) => arenas[0]!.systemBytes! > 1 << 20,
  },
  {
    name: 'mmap_threshold=1024',
    shape: 'noncontiguous',
    env: tunables('glibc.malloc.mmap_threshold=1024'),
    as: ({ mmapped }) => mmapped.count! > 1000,
  },
  {
    name: 'hugetlb=1',
    shape: 'many-heaps',
    env: tunables('glibc.malloc.hugetlb=1'),
    as: severalArenas,
    impossible: since(35, 'glibc.malloc.hugetlb'),
  },
  {
    name: 'hugetlb=2',
    shape: 'many-heaps',
    env: tunables('glibc.malloc.hugetlb=2'),
    as: (model, release) => severalArenas(model) && hasHugeHeaps(model, release),
    impossible: since(35, 'glibc.malloc.hugetlb'),
  },
]

// HEAP_MAX_SIZE is 4 huge pages in 2.35 to 2.41, a constant before and since.
function hasHugeHeaps({ arenas }: HeapModel, release: Release): boolean {
  const page = /^Hugepagesize:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
  const follows = page !== undefined && minor(release) >= 35 && minor(release) < 42
  const heaps = arenas.filter(({ isMain }) => !isMain).flatMap((arena) => arena.heaps)
  const isHuge = (bytes: number) => bytes === 4 * 1024 * Number(page)
  const isUsual = (bytes: number) => bytes === 1 << 26 || bytes === 1 << 20
  return heaps.length > 0 && heaps.every(({ reservedBytes }) => (follows ? isHuge : isUsual)(reservedBytes))
}

function severalArenas({ arenas }: HeapModel): boolean {
  return arenas.length > 1
}

function severalHeaps({ arenas }: HeapModel): boolean {
  return arenas.some((arena) => arena.heaps.length > 2)
}
