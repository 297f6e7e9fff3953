// The panes in the order of their keys; a new pane is one file and one line here.
import { arenasPane } from './panes/arenas.js'
import { chunksPane } from './panes/chunks.js'
import { findingsPane } from './panes/findings.js'
import { heapMapPane } from './panes/heap-map.js'
import { memoryPane } from './panes/memory.js'
import { overviewPane } from './panes/overview.js'
import { regionsPane } from './panes/regions.js'
import { threadsPane } from './panes/threads.js'
import type { Pane, PaneId } from './tui-state.js'

/** Key `1` is the first. */
export const PANES: readonly Pane[] = [
  overviewPane,
  arenasPane,
  heapMapPane,
  chunksPane,
  memoryPane,
  threadsPane,
  findingsPane,
  regionsPane,
]

/** The definition of a pane. */
export function paneOf(id: PaneId): Pane {
  return PANES.find((pane) => pane.id === id)!
}
