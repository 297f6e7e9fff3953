// Clicks and the wheel, for panes that know nothing of them but rows.
import type { Session } from '../../session/session.js'
import type { Key } from './keys.js'
import { paneOf } from './panes.js'
import { paneAtColumn } from './tabs.js'
import { bodySize, ROWS_ABOVE, type TuiState } from './tui-state.js'

const TABS_ROW = 2
const WHEEL_ROWS = 3

/** The state after a click or a turn of the wheel; null when the key is neither. */
export function onMouse(state: TuiState, key: Key, session: Session): TuiState | null {
  if (key === 'wheel-up' || key === 'wheel-down') {
    const pane = paneOf(state.pane)
    let next = state
    for (let i = 0; i < WHEEL_ROWS; i++)
      next = pane.onKey(next, key === 'wheel-up' ? 'up' : 'down', session) ?? next
    return next
  }
  const click = /^click (\d+) (\d+)$/.exec(key)
  if (!click) return null
  const column = Number(click[1]) - 1
  const line = Number(click[2])
  if (line === TABS_ROW) {
    const pane = paneAtColumn(state, column)
    return pane ? { ...state, pane } : state
  }
  const row = line - 1 - ROWS_ABOVE
  if (row < 0 || row >= bodySize(state).rows) return state
  return paneOf(state.pane).onClick?.(state, row, column, session) ?? state
}
