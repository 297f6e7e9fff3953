// The chunks that the Chunks pane wants: listed once for a report, then filtered and sorted as often as asked.

import { ChunkTable } from '../../../session/chunk-table.js'
import type { Session } from '../../../session/session.js'
import { chunkView } from '../chunks/chunk-view.js'
import { viewName } from '../chunks/chunks-state.js'
import type { TuiState } from '../tui-state.js'
import { type Asking, inSlices, type Question } from './question.js'

/** How often rows that are listed already come on the screen. */
const SHOW_EVERY_MS = 100

/** The last table that was listed to its end, of which session's report and of which arena (null: all). */
interface Listed {
  readonly report: Session['report']
  readonly arena: number | null
  readonly table: ChunkTable
}

const LISTED = new WeakMap<Session, Listed>()

/** A table that holds the arena's chunks, when one was listed of this report. */
function listedFor(session: Session, arena: number | null): ChunkTable | null {
  const known = LISTED.get(session)
  if (known?.report !== session.report) return null
  return known.arena === null || known.arena === arena ? known.table : null
}

function* filling(state: TuiState, table: ChunkTable, { session, act }: Asking): Generator<undefined, void> {
  const { filter, sort } = state.chunks
  const isPlain =
    sort === 'place' && filter.group === 'all' && filter.minBytes === null && filter.maxBytes === null
  const name = viewName(state.chunks)
  let bytes = 0
  let shownAt = performance.now()
  for (const batch of session.chunkBatches(filter.arena === null ? {} : { arena: filter.arena })) {
    table.append(batch)
    for (let row = 0; row < batch.count; row++) bytes += batch.sizes[row]!
    if (isPlain && performance.now() - shownAt > SHOW_EVERY_MS) {
      act({ type: 'chunks', view: { name, table, rows: null, count: table.count, bytes }, isDone: false })
      shownAt = performance.now()
    }
    yield undefined
  }
}

export const chunksQuestion: Question = {
  wanted: ({ chunks, loading }) => (chunks.isAsked && !chunks.isDone && !loading ? viewName(chunks) : null),
  async ask(state, asking) {
    const { session, signal } = asking
    const { filter, sort } = state.chunks
    const { report } = session
    let table = listedFor(session, filter.arena)
    if (!table) {
      // What was listed before is let go first: both together may be more than there is room for.
      LISTED.delete(session)
      table = new ChunkTable()
      await inSlices(filling(state, table, asking), signal)
      if (signal.aborted) return null
      LISTED.set(session, { report, arena: filter.arena, table })
    }
    const view = await inSlices(chunkView(viewName(state.chunks), table, filter, sort), signal)
    return view && { type: 'chunks', view, isDone: true }
  },
  failed: (_state, _session, error) => ({ type: 'chunks-failed', error }),
}
