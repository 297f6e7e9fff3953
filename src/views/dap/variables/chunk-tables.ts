// The chunks of arenas in columns, walked once when an arena is opened.
import { countText } from '../../../format/sizes.js'
import type { Report } from '../../../report/report.js'
import { ChunkTable } from '../../../session/chunk-table.js'
import type { ChunkFilter, Session } from '../../../session/session.js'
import type { Work } from '../services.js'

/** Nine bytes each; tables that were not asked for the longest are let go beyond it. */
const MOST_ROWS = 50_000_000

export class ChunkTables {
  #report: Report | null = null
  readonly #tables = new Map<string, Promise<ChunkTable>>()
  readonly #rows = new Map<string, number>()

  /** The table of what `filter` lets pass, of the session's current report. `expected`: about how many there are. */
  async of(
    session: Session,
    filter: ChunkFilter & { readonly arena?: number },
    expected: number | null,
    work: Work,
  ): Promise<ChunkTable> {
    if (this.#report !== session.report) {
      this.#report = session.report
      this.#tables.clear()
      this.#rows.clear()
    }
    const key = filter.arena === undefined ? 'mmapped' : String(filter.arena)
    for (;;) {
      const known = this.#tables.get(key)
      if (known) {
        try {
          const table = await known
          // The one used last goes last.
          this.#tables.delete(key)
          this.#tables.set(key, known)
          return table
        } catch {
          // Whoever asked for it has cancelled.
          work.signal.throwIfAborted()
          if (this.#tables.get(key) === known) this.#tables.delete(key)
        }
        continue
      }
      const walk = readTable(session, filter, expected, work)
      this.#tables.set(key, walk)
      walk.catch(() => {
        if (this.#tables.get(key) === walk) this.#tables.delete(key)
      })
      const table = await walk
      this.#rows.set(key, table.count)
      this.#letGo(key)
      return table
    }
  }

  #letGo(kept: string): void {
    let rows = [...this.#rows.values()].reduce((sum, count) => sum + count, 0)
    for (const key of this.#tables.keys()) {
      if (rows <= MOST_ROWS) return
      if (key === kept || !this.#rows.has(key)) continue
      rows -= this.#rows.get(key)!
      this.#rows.delete(key)
      this.#tables.delete(key)
    }
  }
}

async function readTable(
  session: Session,
  filter: ChunkFilter,
  expected: number | null,
  work: Work,
): Promise<ChunkTable> {
  const table = new ChunkTable()
  for (const batch of session.chunkBatches(filter)) {
    table.append(batch)
    const percent = expected ? (100 * table.count) / expected : null
    work.tell(`${countText(table.count)} chunks`, percent)
    await work.breathe()
  }
  return table
}
