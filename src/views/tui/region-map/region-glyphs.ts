// What stands for a category on the map of the address space: a letter, a short name, a colour.
import type { Category } from '../../../maps/categories.js'
import type { Paint } from '../paint.js'

export interface RegionGlyph {
  readonly glyph: string
  /** Where the category's own name has no room. */
  readonly short: string
  readonly kind: keyof Paint['region']
}

export const REGION_GLYPHS: Readonly<Record<Category, RegionGlyph>> = {
  'arena heaps, committed': { glyph: 'A', short: 'heaps', kind: 'malloc' },
  'arena heaps, reserved': { glyph: 'a', short: 'reserved', kind: 'reserved' },
  'main heap': { glyph: 'H', short: 'main heap', kind: 'malloc' },
  'mmapped chunks': { glyph: 'M', short: 'mmapped', kind: 'malloc' },
  'thread stacks': { glyph: 'S', short: 'stacks', kind: 'stack' },
  'stack guards': { glyph: 'g', short: 'guards', kind: 'reserved' },
  'main stack': { glyph: 's', short: 'main stack', kind: 'stack' },
  program: { glyph: 'P', short: 'program', kind: 'file' },
  'shared libraries': { glyph: 'L', short: 'libraries', kind: 'file' },
  files: { glyph: 'F', short: 'files', kind: 'file' },
  'shared memory': { glyph: 'm', short: 'shared', kind: 'other' },
  'kernel (vdso)': { glyph: 'k', short: 'kernel', kind: 'other' },
  'other anonymous': { glyph: 'o', short: 'other', kind: 'other' },
  'other reserved': { glyph: 'r', short: 'other reserved', kind: 'reserved' },
}

/** Address space between two mappings, however much. */
export const HOLE_GLYPH = '│'
