// The table of arenas.
import { bar } from '../../format/bars.js'
import { bytesText, countOf, countText, percentOf, percentText } from '../../format/sizes.js'
import type { ReportArena } from '../../report/report.js'
import { plainTable } from './plain-table.js'

const BAR_CELLS = 12
const TITLE_CELLS = 12
const VALUE_CELLS = 10

const MEMORY: readonly { title: string; of: (arena: ReportArena) => number | null }[] = [
  { title: 'reserved', of: (arena) => arena.reservedBytes },
  { title: 'committed', of: (arena) => arena.committedBytes },
  { title: 'resident', of: ({ resident }) => resident && residentSum(resident) },
  { title: 'trim returns', of: (arena) => arena.trimReturnsBytes },
]

function residentSum(parts: NonNullable<ReportArena['resident']>): number {
  return Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)
}

/**
 * One line an arena, in the order given. `total`: how many arenas there are in all. `wide`: with what of its memory is
 * reserved and committed, and in RAM where that is known.
 */
export function arenasTable(arenas: readonly ReportArena[], total: number, wide = false): string {
  const more = wide ? MEMORY.filter(({ of }) => arenas.some((arena) => of(arena) !== null)) : []
  const columns = [
    { title: ` Arenas (${total})`, align: 'left' },
    ...['heaps', 'system', 'in use', 'free', 'top', 'free chunks', 'threads', 'use'].map((title) => ({
      title,
      align: 'right' as const,
    })),
    ...more.map(({ title }) => ({ title, align: 'right' as const })),
    { title: '', align: 'left' },
  ] as const
  return plainTable(
    columns,
    arenas.map((arena) => {
      const [last, ...first] = row(arena).reverse()
      return [...first.reverse(), ...more.map(({ of }) => bytesText(of(arena))), last!]
    }),
  )
}

/** One arena, a fact a line, with what of its memory is reserved, committed and in RAM where that is known. */
export function arenaFacts(arena: ReportArena): string {
  const bytes = (title: string, count: number | null, more = '') =>
    fact(title, bytesText(count), [count === null ? '' : `${countText(count)} bytes`, more])
  return [
    `arena ${arena.index}${arena.isMain ? ' (main)' : ''}  ${arena.address}${arena.complete ? '' : ' *'}`,
    bytes('system', arena.systemBytes),
    bytes('in use', arena.inUseBytes, percentText(percentOf(arena.inUseBytes, arena.systemBytes))),
    bytes('free', arena.freeBytes, countOf(arena.freeChunks, 'chunk')),
    bytes('top', arena.topBytes),
    ...MEMORY.map(({ title, of }) => bytes(title, of(arena))),
    fact('threads', countText(arena.attachedThreads), []),
  ].join('\n')
}

function fact(title: string, value: string, details: readonly string[]): string {
  const detail = details.filter((text) => text !== '').join(', ')
  return `  ${title.padEnd(TITLE_CELLS)}${value.padStart(VALUE_CELLS)}  ${detail}`.trimEnd()
}

function row(arena: ReportArena): string[] {
  const use = percentOf(arena.inUseBytes, arena.systemBytes)
  return [
    ` ${arena.isMain ? 'main' : String(arena.index).padEnd(4)}  ${arena.address}${arena.complete ? '' : ' *'}`,
    arena.isMain && arena.heaps.length === 0 ? '-' : countText(arena.heaps.length),
    bytesText(arena.systemBytes),
    bytesText(arena.inUseBytes),
    bytesText(arena.freeBytes),
    bytesText(arena.topBytes),
    countText(arena.freeChunks),
    countText(arena.attachedThreads),
    percentText(use),
    bar(use === null ? null : use / 100, BAR_CELLS),
  ]
}
