// Keys while a dialog is open.
import type { Dialog } from './dialog.js'
import type { Key } from './keys.js'
import type { TuiState } from './tui-state.js'

/** The state after a key while a dialog is open: only `y` agrees; nothing stops what is being run. */
export function onDialogKey(state: TuiState, dialog: Dialog, key: Key): TuiState {
  if (key === 'j' || key === 'down') return { ...state, dialog: { ...dialog, top: dialog.top + 1 } }
  if (key === 'k' || key === 'up')
    return { ...state, dialog: { ...dialog, top: Math.max(0, dialog.top - 1) } }
  if (dialog.phase === 'running') return state
  if (dialog.phase === 'asking' && (key === 'y' || key === 'Y'))
    return { ...state, dialog: { ...dialog, phase: 'running' } }
  return { ...state, dialog: null }
}
