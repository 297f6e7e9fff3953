// The columns of the arena table: a row is an arena, or one of its heaps.
import { bar } from '../../../format/bars.js'
import { printable } from '../../../format/printable.js'
import { bytesText, countText, percentOf, percentText } from '../../../format/sizes.js'
import type { ReportArena, ReportHeap } from '../../../report/report.js'
import type { Paint } from '../paint.js'
import type { ArenaSort } from '../tui-state.js'
import type { Column } from './sorted-list.js'

export interface ArenaRow {
  readonly arena: ReportArena
  /** Null: the arena itself. */
  readonly heap: ReportHeap | null
  readonly heapIndex: number
  readonly isUnfolded: boolean
}

type ArenaColumn = Column<ArenaRow, ArenaSort>

/** `main` or the arena's number, as `:arena N` takes it. */
export function arenaName(arena: ReportArena): string {
  return arena.isMain ? 'main' : `${arena.index}`
}

/** Share of the arena's memory that the program uses, 0 … 100, or null. */
export function inUsePercent(arena: ReportArena): number | null {
  return percentOf(arena.inUseBytes, arena.systemBytes)
}

function bytesColumn(
  title: string,
  from: number,
  of: (arena: ReportArena) => number | null,
  sort?: ArenaSort,
): ArenaColumn {
  return {
    title,
    width: 10,
    align: 'right',
    from,
    text({ arena, heap }) {
      if (heap) return title === 'system' ? bytesText(heap.sizeBytes) : ''
      const bytes = of(arena)
      return bytes === null ? '?' : bytesText(bytes)
    },
    value: ({ arena, heap }) => (heap ? null : of(arena)),
    ...(sort ? { sort } : {}),
  }
}

function countColumn(
  title: string,
  width: number,
  from: number,
  of: (arena: ReportArena) => number | null,
  sort?: ArenaSort,
): ArenaColumn {
  return {
    title,
    width,
    align: 'right',
    from,
    text({ arena, heap }) {
      if (heap) return ''
      const count = of(arena)
      return count === null ? '?' : countText(count)
    },
    value: ({ arena, heap }) => (heap ? null : of(arena)),
    ...(sort ? { sort } : {}),
  }
}

const BAR_WIDTH = 40

/** Used part and rest of the bar; nothing where the use is unknown. */
function barOf(arena: ReportArena, width: number): string {
  const use = inUsePercent(arena)
  if (use === null) return ''
  const room = Math.min(BAR_WIDTH, width)
  const used = bar(use / 100, room)
  return used + '░'.repeat(Math.max(0, room - used.length))
}

function barStyle(_row: ArenaRow, text: string, paint: Paint): string {
  const rest = text.indexOf('░')
  return rest < 0 ? paint.bar(text) : paint.bar(text.slice(0, rest)) + paint.dim(text.slice(rest))
}

/** From left to right. */
export const ARENA_COLUMNS: readonly ArenaColumn[] = [
  {
    title: '#',
    width: 5,
    align: 'right',
    from: 0,
    sort: 'ring',
    text: ({ arena, heap, heapIndex, isUnfolded }) =>
      heap ? `└${heapIndex + 1}` : `${isUnfolded ? '▾' : ''}${arenaName(arena)}${arena.complete ? '' : '!'}`,
    style: ({ arena }, text, paint) => (arena.complete ? text : paint.error(text)),
  },
  {
    title: 'address',
    width: 14,
    align: 'left',
    from: 60,
    text: ({ arena, heap }) => printable(heap?.address ?? arena.address),
  },
  countColumn('heaps', 5, 70, (arena) => arena.heaps.length),
  bytesColumn('system', 50, (arena) => arena.systemBytes, 'system'),
  bytesColumn('in use', 60, (arena) => arena.inUseBytes, 'in use'),
  bytesColumn('free', 0, (arena) => arena.freeBytes, 'free'),
  bytesColumn('fastbins', 140, (arena) => arena.fastbinBytes),
  bytesColumn('bins', 120, (arena) => arena.binnedBytes),
  bytesColumn('top', 120, (arena) => arena.topBytes),
  countColumn('chunks free', 11, 140, (arena) => arena.freeChunks),
  countColumn('thr', 4, 0, (arena) => arena.attachedThreads, 'threads'),
  {
    title: 'use',
    width: 7,
    align: 'right',
    from: 0,
    sort: 'use',
    text({ arena, heap }) {
      const use = inUsePercent(arena)
      return heap ? '' : use === null ? '?' : percentText(use)
    },
  },
  {
    title: '',
    width: 'rest',
    align: 'left',
    from: 76,
    text: ({ arena, heap }, _state, width) => (heap ? '' : barOf(arena, width)),
    style: barStyle,
  },
]
