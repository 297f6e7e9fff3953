// The arena table: its columns, its order, and one line of text per arena.

import { bar } from '../../../format/bars.js'
import { printable } from '../../../format/printable.js'
import { bytesText, countText, percentOf, percentText } from '../../../format/sizes.js'
import type { ReportArena } from '../../../report/report.js'
import { cell } from '../columns.js'
import type { ArenaSort, ArenasState } from '../tui-state.js'

interface Column {
  readonly title: string
  readonly width: number
  readonly align: 'left' | 'right'
  /** Terminal columns from which on there is room for it. */
  readonly from: number
  /** The sort that this column shows. */
  readonly sort?: ArenaSort
  text(arena: ReportArena): string
}

/** The order in which `s` goes through them. */
export const SORTS: readonly ArenaSort[] = ['free', 'system', 'in use', 'threads', 'use', 'ring']

const COLUMNS: readonly Column[] = [
  { title: '#', width: 4, align: 'right', from: 0, sort: 'ring', text: arenaName },
  { title: 'address', width: 14, align: 'left', from: 60, text: (arena) => printable(arena.address) },
  { title: 'heaps', width: 5, align: 'right', from: 70, text: (arena) => countText(arena.heaps.length) },
  bytesColumn('system', 60, (arena) => arena.systemBytes, 'system'),
  bytesColumn('in use', 50, (arena) => arena.inUseBytes, 'in use'),
  bytesColumn('free', 0, (arena) => arena.freeBytes, 'free'),
  bytesColumn('fastbins', 140, (arena) => arena.fastbinBytes),
  bytesColumn('bins', 120, (arena) => arena.binnedBytes),
  bytesColumn('top', 120, (arena) => arena.topBytes),
  {
    title: 'chunks free',
    width: 11,
    align: 'right',
    from: 140,
    text: (arena) => orDash(arena.freeChunks),
  },
  {
    title: 'thr',
    width: 4,
    align: 'right',
    from: 0,
    sort: 'threads',
    text: (arena) => orDash(arena.attachedThreads),
  },
]
const USE_WIDTH = 7

function bytesColumn(
  title: string,
  from: number,
  of: (arena: ReportArena) => number | null,
  sort?: ArenaSort,
): Column {
  const text = (arena: ReportArena) => {
    const bytes = of(arena)
    return bytes === null ? '?' : bytesText(bytes)
  }
  return { title, width: 10, align: 'right', from, text, ...(sort ? { sort } : {}) }
}

function orDash(count: number | null): string {
  return count === null ? '?' : countText(count)
}

/** `main` or the arena's number, as `:arena N` takes it. */
export function arenaName(arena: ReportArena): string {
  return arena.isMain ? 'main' : `${arena.index}`
}

/** Share of the arena's memory that the program uses, 0 … 100, or null. */
export function inUsePercent(arena: ReportArena): number | null {
  return percentOf(arena.inUseBytes, arena.systemBytes)
}

const VALUES: Readonly<Record<ArenaSort, (arena: ReportArena) => number | null>> = {
  ring: (arena) => arena.index,
  system: (arena) => arena.systemBytes,
  'in use': (arena) => arena.inUseBytes,
  free: (arena) => arena.freeBytes,
  threads: (arena) => arena.attachedThreads,
  use: inUsePercent,
}

/** Arenas in the order of the table: largest first, ring order from 0, unknown last; `reversed` turns it. */
export function sortArenas(arenas: readonly ReportArena[], { sort, reversed }: ArenasState): ReportArena[] {
  const value = VALUES[sort]
  const sign = (sort === 'ring') === reversed ? -1 : 1
  return [...arenas].sort((a, b) => {
    const left = value(a)
    const right = value(b)
    if (left === null || right === null)
      return Number(left === null) - Number(right === null) || a.index - b.index
    return sign * (left - right) || a.index - b.index
  })
}

/** The heading, with ▼ or ▲ at the sorted column. */
export function headingText({ sort, reversed }: ArenasState, width: number): string {
  const arrow = (sort === 'ring') === reversed ? '▼' : '▲'
  const titles = COLUMNS.filter((column) => column.from <= width).map((column) => {
    const marked = column.sort === sort ? `${column.title}${arrow}` : column.title
    return cell(marked, column.width, column.align)
  })
  return ` ${titles.join(' ')} ${cell(sort === 'use' ? `use${arrow}` : 'use', USE_WIDTH, 'right')}`
}

/** One arena's cells, the used part of its bar and the rest, apart so that they can be coloured apart. */
export interface ArenaText {
  readonly width: number
  readonly text: string
  readonly used: string
  readonly rest: string
}

/** Formatting sizes takes most of a frame's time, and an arena of a report never changes. */
const DRAWN = new WeakMap<ReportArena, ArenaText>()

/** The row of `arena` in `width` columns. */
export function arenaText(arena: ReportArena, width: number): ArenaText {
  const known = DRAWN.get(arena)
  if (known?.width === width) return known
  const cells = COLUMNS.filter((column) => column.from <= width).map((column) =>
    cell(column.text(arena), column.width, column.align),
  )
  const use = inUsePercent(arena)
  const percent = use === null ? '?' : percentText(use)
  const text = `${cells.join(' ')} ${cell(percent, USE_WIDTH, 'right')}${arena.complete ? ' ' : '!'}`
  const room = Math.min(40, Math.max(0, width - text.length - 3))
  const used = use === null ? '' : bar(use / 100, room)
  const drawn = { width, text, used, rest: use === null ? '' : '░'.repeat(room - used.length) }
  DRAWN.set(arena, drawn)
  return drawn
}
