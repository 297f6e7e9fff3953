// The keys of a pane and those that are the same everywhere, over the pane; scrolled where the screen is low.
import type { Key } from './keys.js'
import { moveInList } from './list-motion.js'
import { PANES, paneOf } from './panes.js'
import { bodySize, type KeyHelp, type TuiState } from './tui-state.js'

/** A heading, keys with what they do, or an empty line. */
export type HelpLine = { readonly title: string } | KeyHelp | null

const EVERYWHERE: readonly KeyHelp[] = [
  { keys: 'j k ↓ ↑', does: 'down, up' },
  { keys: 'PgDn PgUp', does: 'a page; Ctrl-d Ctrl-u half of one' },
  { keys: 'g G Home End', does: 'first, last' },
  { keys: `Tab 1 … ${PANES.length}`, does: 'change pane' },
  { keys: 'Esc', does: 'back to where the last jump came from' },
  { keys: ':', does: 'address, x/40a ADDRESS, arena N, chunk ADDRESS, find TEXT,' },
  { keys: '', does: 'export FORMAT FILE, every N, trim, limit N; Tab, ↑ ↓' },
  { keys: '/ n N', does: 'find in memory, next, before; in lists / filters' },
  { keys: 'y Y', does: 'copy the address, the row' },
  { keys: 'r R', does: 'refresh a live target, every 5 s' },
  { keys: '?', does: 'this help' },
  { keys: 'q Ctrl-C', does: 'quit' },
]

function allLines({ pane }: TuiState): readonly HelpLine[] {
  const { title, help } = paneOf(pane)
  return [{ title }, ...help, null, { title: 'Everywhere' }, ...EVERYWHERE]
}

function highestTop(state: TuiState): number {
  return Math.max(0, allLines(state).length - bodySize(state).rows)
}

/** What is on the screen while the help is open; null otherwise. */
export function helpLines(state: TuiState): readonly HelpLine[] | null {
  if (state.helpTop === null || state.dialog) return null
  const top = Math.min(state.helpTop, highestTop(state))
  return allLines(state).slice(top, top + bodySize(state).rows)
}

/** What closes and moves it. */
export function helpHints(state: TuiState): readonly KeyHelp[] {
  if (highestTop(state) === 0) return [{ keys: 'any key', does: 'close' }]
  return [
    { keys: 'j k', does: 'scroll' },
    { keys: 'any other key', does: 'close' },
  ]
}

/** The state after a key while the help is open: motions scroll it if not all of it is shown, all others close it. */
export function onHelpKey(state: TuiState, top: number, key: Key): TuiState {
  const highest = highestTop(state)
  const motion = key === 'wheel-down' ? 'down' : key === 'wheel-up' ? 'up' : key
  const next =
    highest === 0 ? null : moveInList(motion, Math.min(top, highest), highest + 1, bodySize(state).rows)
  return { ...state, helpTop: next }
}
