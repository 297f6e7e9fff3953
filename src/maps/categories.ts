// Where the address space goes: the names of the categories, and the shape of the answer.

/** In the order of the tables. Every byte of the address space is in exactly one. */
export const CATEGORIES = [
  'arena heaps, committed',
  'arena heaps, reserved',
  'main heap',
  'mmapped chunks',
  'thread stacks',
  'stack guards',
  'main stack',
  'program',
  'shared libraries',
  'files',
  'shared memory',
  'kernel (vdso)',
  'other anonymous',
  'other reserved',
] as const

export type Category = (typeof CATEGORIES)[number]

/** Address space without memory behind it. */
export const RESERVATIONS: ReadonlySet<Category> = new Set([
  'arena heaps, reserved',
  'stack guards',
  'other reserved',
])

/** Sum over the mappings of one category. */
export interface CategorySum {
  readonly category: Category
  /** Pieces: a mapping that holds two categories counts once in each. */
  readonly mappings: number
  readonly virtualBytes: number
  /** In RAM now; null where unknown (a core, a saved maps file). */
  readonly residentBytes: number | null
}
