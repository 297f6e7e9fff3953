// What a pane says while the heaps are still being read.
import type { TuiState } from '../tui-state.js'

/** A sentence while there may be more to come; null when nothing more comes. */
export function nothingYet({ loading }: TuiState): string | null {
  return loading ? 'the heaps are still being read: this fills in when they are' : null
}
