// Joins what maps, smaps and malloc's walk know into one ledger.
import { regionAt } from '../memory/region.js'
import type { MappingUse, ProcessMemoryTotals } from '../target/target.js'
import type { Category } from './categories.js'
import type { Piece } from './categorize.js'
import { LEDGER_LINES, type Ledger, type LedgerEntry, type LedgerLine } from './ledger.js'

/** Resident bytes of malloc's heaps by what holds them; lines that malloc does not tell are absent. */
export type MallocLines = ReadonlyMap<LedgerLine, number>

/** What a ledger is made of. */
export interface LedgerSources {
  readonly basis: Ledger['basis']
  readonly pieces: readonly Piece[]
  /** Bytes of a piece that count in the total; null where unknown. */
  readonly residentOf: (piece: Piece) => number | null
  readonly uses: readonly MappingUse[]
  readonly totals: ProcessMemoryTotals | null
  /** Null when no malloc was found: its categories are then other anonymous memory. */
  readonly malloc: MallocLines | null
}

const MALLOC_HEAPS: ReadonlySet<Category> = new Set([
  'arena heaps, committed',
  'arena heaps, reserved',
  'main heap',
])
const LINE_OF: Readonly<Record<Category, LedgerLine>> = {
  'arena heaps, committed': 'malloc: not told apart',
  'arena heaps, reserved': 'malloc: not told apart',
  'main heap': 'malloc: not told apart',
  'mmapped chunks': 'mmapped chunks',
  'thread stacks': 'thread stacks',
  'stack guards': 'thread stacks',
  'main stack': 'main stack',
  program: 'program, private',
  'shared libraries': 'libraries, private',
  files: 'files',
  'shared memory': 'shared memory',
  'kernel (vdso)': 'kernel (vdso)',
  'other anonymous': 'other anonymous',
  'other reserved': 'other anonymous',
}

/** Null where residency is not known at all. */
export function buildLedger(sources: LedgerSources): Ledger | null {
  const { basis, pieces, uses, totals, malloc } = sources
  const sums = new Sums()
  let known = false
  for (const piece of pieces) {
    const resident = sources.residentOf(piece)
    if (resident === null) continue
    known = true
    addPiece(sums, piece, resident, regionAt(uses, piece.start), malloc !== null)
  }
  if (!known) return null
  if (malloc) {
    let told = 0
    for (const [line, bytes] of malloc) {
      sums.add(line, bytes, null)
      told += bytes
    }
    sums.add('malloc: not told apart', -told, null)
  }
  const entries = sums.entries()
  const sum = entries.reduce((total, entry) => total + entry.residentBytes, 0)
  const totalBytes = totals?.rssBytes ?? sum
  const count = (of: 'hugeBytes' | 'hugetlbBytes') =>
    uses.length === 0 ? null : uses.reduce((all, use) => all + use[of], 0)
  return {
    basis,
    totalBytes,
    entries,
    unaccountedBytes: totalBytes - sum,
    unaccountedPercent: totalBytes === 0 ? 0 : (100 * (totalBytes - sum)) / totalBytes,
    swapBytes: totals?.swapBytes ?? null,
    hugeBytes: count('hugeBytes'),
    hugetlbBytes: count('hugetlbBytes'),
  }
}

function addPiece(
  sums: Sums,
  { category, start, end, region }: Piece,
  resident: number,
  use: MappingUse | null,
  hasMalloc: boolean,
): void {
  const isWhole = use !== null && use.start === start && use.end === end
  const swap = use === null ? null : use.swapBytes === 0 ? 0 : isWhole ? use.swapBytes : null
  if (category === 'program' || category === 'shared libraries') {
    const name = category === 'program' ? 'program' : 'libraries'
    // Without counts (a core): what can be written is the process's own copy.
    const own = isWhole ? Math.min(use.privateBytes, resident) : region.permissions.write ? resident : 0
    sums.add(`${name}, private`, own, swap)
    sums.add(`${name}, shared`, resident - own, 0)
  } else if (MALLOC_HEAPS.has(category) && !hasMalloc) sums.add('other anonymous', resident, swap)
  else sums.add(LINE_OF[category], resident, swap)
}

class Sums {
  readonly #sums = new Map<LedgerLine, { residentBytes: number; swapBytes: number | null }>()

  add(line: LedgerLine, residentBytes: number, swapBytes: number | null): void {
    const sum = this.#sums.get(line) ?? { residentBytes: 0, swapBytes: 0 }
    sum.residentBytes += residentBytes
    sum.swapBytes = sum.swapBytes === null || swapBytes === null ? null : sum.swapBytes + swapBytes
    this.#sums.set(line, sum)
  }

  // A negative rest is no line: the process moved between two readings, which the unaccounted part shows.
  entries(): LedgerEntry[] {
    return LEDGER_LINES.flatMap((line) => {
      const sum = this.#sums.get(line)
      return sum && (sum.residentBytes > 0 || (sum.swapBytes ?? 0) > 0)
        ? [{ line, residentBytes: Math.max(0, sum.residentBytes), swapBytes: sum.swapBytes }]
        : []
    })
  }
}
