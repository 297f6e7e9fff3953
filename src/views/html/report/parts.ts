// What memory can be, as the pictures of a report show it: one fill for one meaning.
import type { Category } from '../../../maps/categories.js'
import type { LedgerLine } from '../../../maps/ledger.js'

/** Classes that fill: HTML by background, SVG by fill. */
export type Fill =
  | 'live'
  | 'tcache'
  | 'fastbins'
  | 'free'
  | 'pinned'
  | 'top'
  | 'overhead'
  | 'reserved'
  | 'damaged'
  | 'unknown'
  | 'mmapped'
  | 'stacks'
  | 'files'
  | 'anonymous'

export const FILL_OF_LINE: Readonly<Record<LedgerLine, Fill>> = {
  'malloc: live': 'live',
  'malloc: tcache': 'tcache',
  'malloc: fastbins': 'fastbins',
  'malloc: bins, trimmable': 'free',
  'malloc: bins, pinned': 'pinned',
  'malloc: top': 'top',
  'malloc: overhead': 'overhead',
  'malloc: reserved': 'reserved',
  'malloc: not told apart': 'unknown',
  'mmapped chunks': 'mmapped',
  'thread stacks': 'stacks',
  'main stack': 'stacks',
  'program, private': 'files',
  'program, shared': 'files',
  'libraries, private': 'files',
  'libraries, shared': 'files',
  files: 'files',
  'shared memory': 'files',
  'kernel (vdso)': 'files',
  'other anonymous': 'anonymous',
}

/** Of heaps' regions where what they hold is not told apart. */
export const FILL_OF_CATEGORY: Readonly<Record<Category, Fill>> = {
  'arena heaps, committed': 'unknown',
  'arena heaps, reserved': 'reserved',
  'main heap': 'unknown',
  'mmapped chunks': 'mmapped',
  'thread stacks': 'stacks',
  'stack guards': 'reserved',
  'main stack': 'stacks',
  program: 'files',
  'shared libraries': 'files',
  files: 'files',
  'shared memory': 'files',
  'kernel (vdso)': 'files',
  'other anonymous': 'anonymous',
  'other reserved': 'reserved',
}
