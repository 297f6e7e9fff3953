// The panes in the order of their keys; a new pane is one file and one line here.
import { arenasPane } from './panes/arenas.js'
import { memoryPane } from './panes/memory.js'
import { overviewPane } from './panes/overview.js'
import type { Pane, PaneId } from './tui-state.js'

/** Key `1` is the first. */
export const PANES: readonly Pane[] = [overviewPane, arenasPane, memoryPane]

/** The definition of a pane. */
export function paneOf(id: PaneId): Pane {
  return PANES.find((pane) => pane.id === id)!
}
