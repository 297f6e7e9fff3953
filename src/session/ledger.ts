// The ledger of one measurement: malloc's parts and the target's residency brought together.
import type { Arena, ArenaResidency, HeapModel } from '../malloc/heap-model.js'
import { buildLedger, type MallocLines } from '../maps/build-ledger.js'
import type { Piece } from '../maps/categorize.js'
import type { Ledger, LedgerLine } from '../maps/ledger.js'
import { regionAt } from '../memory/region.js'
import type { Target } from '../target/target.js'

const LINES: Readonly<Record<keyof ArenaResidency, LedgerLine>> = {
  liveBytes: 'malloc: live',
  tcacheBytes: 'malloc: tcache',
  fastbinBytes: 'malloc: fastbins',
  trimmableBytes: 'malloc: bins, trimmable',
  pinnedBytes: 'malloc: bins, pinned',
  topBytes: 'malloc: top',
  overheadBytes: 'malloc: overhead',
  reservedBytes: 'malloc: reserved',
}

/** Null where nothing is known of residency. */
export function ledgerOf(target: Target, pieces: readonly Piece[], heap: HeapModel | null): Ledger | null {
  const uses = target.mappingUses()
  const isCore = target.kind === 'core'
  return buildLedger({
    basis: isCore ? 'saved' : 'rss',
    pieces,
    residentOf: (piece) => {
      if (isCore) {
        const pages = target.residentPages(piece.start, piece.end)
        return pages ? pages.bytesIn(pages.start, pages.end) : null
      }
      // hugetlbfs has its own line: the kernel keeps it out of RSS.
      return (regionAt(uses, piece.start)?.hugetlbBytes ?? 0) > 0 ? 0 : piece.residentBytes
    },
    uses,
    totals: target.memoryTotals(),
    malloc: heap && mallocLines(heap.arenas),
  })
}

function mallocLines(arenas: readonly Arena[]): MallocLines {
  const lines = new Map<LedgerLine, number>()
  for (const { resident } of arenas) {
    if (!resident) continue
    for (const key of Object.keys(LINES) as (keyof ArenaResidency)[]) {
      lines.set(LINES[key], (lines.get(LINES[key]) ?? 0) + resident[key])
    }
  }
  return lines
}
