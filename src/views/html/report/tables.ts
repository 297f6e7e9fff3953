// The tables of a report as columns.
import { percentOf } from '../../../format/sizes.js'
import type { Piece } from '../../../maps/categorize.js'
import { hex } from '../../../memory/address.js'
import { permissionText, sizeOf } from '../../../memory/region.js'
import type { HeapMap } from '../../../report/heap-maps.js'
import type {
  Report,
  ReportArena,
  ReportHeapModel,
  ReportSizeClass,
  ReportThread,
} from '../../../report/report.js'
import { evidenceText } from './finding-cards.js'
import type { HeapPiece } from './heap-of-pieces.js'
import type { Column, NumberColumn, ReportTable, TextColumn, WordColumn } from './report-data.js'
import { visible } from './visible-text.js'

/** All tables that have rows, in the order of the page. */
export function reportTables(
  report: Report,
  pieces: readonly Piece[],
  maps: readonly HeapMap[],
  heapPieces: ReadonlyMap<number, HeapPiece>,
): readonly ReportTable[] {
  const { heap } = report
  const tables = [
    ...(heap
      ? [
          arenasTable(heap.arenas),
          heapsTable(heap.arenas, maps),
          threadsTable(heap.threads),
          sizesTable(heap.sizeClasses ?? []),
        ]
      : []),
    regionsTable(report, pieces, heapPieces),
    evidenceTable(report),
    ...(heap ? [damageTable(heap.anomalies)] : []),
  ]
  return tables.filter(({ rows }) => rows > 0)
}

function numbers(
  title: string,
  kind: NumberColumn['kind'],
  values: readonly (number | null)[],
): NumberColumn {
  return { title, kind, values }
}

function texts(title: string, kind: TextColumn['kind'], values: readonly (string | null)[]): TextColumn {
  return { title, kind, values }
}

function words(title: string, values: readonly (string | null)[]): WordColumn {
  const indexes = new Map<string, number>()
  const at = values.map((value) => {
    if (value === null) return -1
    const index = indexes.get(value) ?? indexes.size
    indexes.set(value, index)
    return index
  })
  return { title, kind: 'word', words: [...indexes.keys()].map(visible), values: at }
}

/** What resident bytes are called: pages of a core were in RAM or in swap. */
export function residentName({ ledger }: Report): string {
  return ledger?.basis === 'saved' ? 'saved' : 'in RAM'
}

/** Without `0x`. */
function digits(address: string): string {
  return address.replace(/^0x/, '')
}

function arenaLabel(index: number | null): string | null {
  return index === 0 ? 'main' : index === null ? null : String(index)
}

function arenasTable(unsorted: readonly ReportArena[]): ReportTable {
  const arenas = [...unsorted].sort(
    (a, b) => (b.systemBytes ?? -1) - (a.systemBytes ?? -1) || a.index - b.index,
  )
  const bytes = (title: string, of: (arena: ReportArena) => number | null) =>
    numbers(title, 'bytes', arenas.map(of))
  const count = (title: string, of: (arena: ReportArena) => number | null) =>
    numbers(title, 'count', arenas.map(of))
  return {
    id: 'table-arenas',
    rowName: ['arena', 'arenas'],
    rows: arenas.length,
    sorted: { column: 'system', direction: 'descending' },
    columns: {
      arena: numbers(
        'arena',
        'number',
        arenas.map(({ index }) => index),
      ),
      address: texts(
        'address',
        'address',
        arenas.map(({ address }) => digits(address)),
      ),
      system: bytes('system', (arena) => arena.systemBytes),
      inUse: bytes('in use', (arena) => arena.inUseBytes),
      use: numbers(
        'use',
        'percent',
        arenas.map(({ inUseBytes, systemBytes }) => percentOf(inUseBytes, systemBytes)),
      ),
      free: bytes('free', (arena) => arena.freeBytes),
      live: bytes('live', (arena) => arena.liveBytes),
      tcache: bytes('tcache', (arena) => arena.tcacheBytes),
      fastbins: bytes('fastbins', (arena) => arena.fastbinBytes),
      binned: bytes('bins', (arena) => arena.binnedBytes),
      top: bytes('top', (arena) => arena.topBytes),
      overhead: bytes('overhead', (arena) => arena.overheadBytes),
      trim: bytes('trim returns', (arena) => arena.trimReturnsBytes),
      largest: bytes('largest free', (arena) => arena.largestFreeBytes),
      usedChunks: count('live chunks', (arena) => arena.usedChunks),
      freeChunks: count('free chunks', (arena) => arena.freeChunks),
      threads: count('threads', (arena) => arena.attachedThreads),
      heaps: count('heaps', (arena) => arena.heaps.length),
      reserved: bytes('address space', (arena) => arena.reservedBytes),
      state: words('', arenas.map(stateText)),
      ...residentColumns(arenas),
    },
  }
}

// For the map of what is in RAM.
function residentColumns(arenas: readonly ReportArena[]): Readonly<Record<string, Column>> {
  const column = (part: keyof NonNullable<ReportArena['resident']>): NumberColumn => ({
    title: part,
    kind: 'bytes',
    values: arenas.map(({ resident }) => resident?.[part] ?? null),
    hidden: true,
  })
  return {
    residentLive: column('liveBytes'),
    residentTcache: column('tcacheBytes'),
    residentFastbins: column('fastbinBytes'),
    residentTrimmable: column('trimmableBytes'),
    residentPinned: column('pinnedBytes'),
    residentTop: column('topBytes'),
    residentOverhead: column('overheadBytes'),
    residentReserved: column('reservedBytes'),
  }
}

function stateText({ complete, moving, skippedBytes }: ReportArena): string | null {
  if (moving) return 'moving'
  if (skippedBytes === null || skippedBytes > 0) return 'damaged or not saved'
  return complete ? null : 'incomplete'
}

function heapsTable(arenas: readonly ReportArena[], maps: readonly HeapMap[]): ReportTable {
  const known = new Map(maps.map((map) => [`${map.arena} ${map.heap}`, map]))
  const rows = arenas.flatMap(({ index, heaps }) =>
    heaps.map((heap, number) => ({ ...heap, index, number, map: known.get(`${index} ${number}`) ?? null })),
  )
  const uses = (title: string, use: keyof HeapMap['uses']) =>
    numbers(
      title,
      'bytes',
      rows.map(({ map }) => map?.uses[use] ?? null),
    )
  return {
    id: 'table-heaps',
    rowName: ['heap', 'heaps'],
    rows: rows.length,
    columns: {
      arena: numbers(
        'arena',
        'number',
        rows.map(({ index }) => index),
      ),
      heap: numbers(
        'heap',
        'number',
        rows.map(({ number }) => number + 1),
      ),
      address: texts(
        'address',
        'address',
        rows.map(({ address }) => digits(address)),
      ),
      size: numbers(
        'size',
        'bytes',
        rows.map(({ sizeBytes }) => sizeBytes),
      ),
      live: uses('live', 'live'),
      use: numbers(
        'live',
        'percent',
        rows.map(({ map, sizeBytes }) => percentOf(map?.uses.live ?? null, sizeBytes)),
      ),
      cached: uses('cached', 'cached'),
      free: uses('free in bins', 'free'),
      top: uses('top', 'top'),
      other: uses('other', 'other'),
      chunks: numbers(
        'chunks',
        'count',
        rows.map(({ map }) => map?.chunks ?? null),
      ),
    },
  }
}

function threadsTable(threads: readonly ReportThread[]): ReportTable {
  return {
    id: 'table-threads',
    rowName: ['thread', 'threads'],
    rows: threads.length,
    sorted: { column: 'tid', direction: 'ascending' },
    columns: {
      tid: numbers(
        'thread',
        'number',
        threads.map(({ tid }) => tid),
      ),
      name: words(
        'name',
        threads.map(({ name }) => name),
      ),
      arena: words(
        'arena',
        threads.map(({ arena }) => arenaLabel(arena)),
      ),
      tcache: numbers(
        'tcache',
        'bytes',
        threads.map(({ tcache }) => tcache?.bytes ?? null),
      ),
      chunks: numbers(
        'chunks in it',
        'count',
        threads.map(({ tcache }) => tcache?.chunks ?? null),
      ),
      address: texts(
        'its address',
        'address',
        threads.map(({ tcache }) => tcache && digits(tcache.address)),
      ),
    },
  }
}

function sizesTable(classes: readonly ReportSizeClass[]): ReportTable {
  const column = (title: string, kind: 'bytes' | 'count', of: (row: ReportSizeClass) => number) =>
    numbers(title, kind, classes.map(of))
  return {
    id: 'table-sizes',
    rowName: ['size class', 'size classes'],
    rows: classes.length,
    sorted: { column: 'min', direction: 'ascending' },
    columns: {
      min: column('size from', 'count', ({ minBytes }) => minBytes),
      max: column('to below', 'count', ({ maxBytes }) => maxBytes),
      liveChunks: column('live chunks', 'count', ({ liveChunks }) => liveChunks),
      liveBytes: column('live', 'bytes', ({ liveBytes }) => liveBytes),
      freeChunks: column('free chunks', 'count', ({ freeChunks }) => freeChunks),
      freeBytes: column('free in bins', 'bytes', ({ freeBytes }) => freeBytes),
    },
  }
}

function regionsTable(
  report: Report,
  pieces: readonly Piece[],
  heapPieces: ReadonlyMap<number, HeapPiece>,
): ReportTable {
  const arenasOf = (row: number) => heapPieces.get(row)?.arenas.map(arenaLabel).join(', ') || null
  const columns: Record<string, Column> = {
    start: texts(
      'start',
      'address',
      pieces.map(({ start }) => digits(hex(start))),
    ),
    size: numbers('size', 'bytes', pieces.map(sizeOf)),
    resident: numbers(
      residentName(report),
      'bytes',
      pieces.map(({ residentBytes }) => residentBytes),
    ),
    category: words(
      'category',
      pieces.map(({ category }) => category),
    ),
    permissions: words(
      '',
      pieces.map(({ region }) => permissionText(region.permissions)),
    ),
    arena: words(
      'arena',
      pieces.map((_, row) => arenasOf(row)),
    ),
    path: words(
      'what is mapped',
      pieces.map(({ region }) => region.path),
    ),
  }
  return {
    id: 'table-regions',
    rowName: ['region', 'regions'],
    rows: pieces.length,
    sorted: { column: 'start', direction: 'ascending' },
    columns,
  }
}

function evidenceTable({ findings }: Report): ReportTable {
  const rows = findings.flatMap((finding) => finding.evidence.map((evidence) => ({ finding, evidence })))
  return {
    id: 'table-evidence',
    rowName: ['fact', 'facts'],
    rows: rows.length,
    columns: {
      severity: words(
        'severity',
        rows.map(({ finding }) => finding.severity),
      ),
      rule: words(
        'rule',
        rows.map(({ finding }) => finding.rule),
      ),
      label: texts(
        'what was measured',
        'text',
        rows.map(({ evidence }) => evidence.label),
      ),
      value: texts(
        'value',
        'text',
        rows.map(({ evidence }) => evidenceText(evidence.value, evidence.unit)),
      ),
    },
  }
}

function damageTable(anomalies: ReportHeapModel['anomalies']): ReportTable {
  return {
    id: 'table-damage',
    rowName: ['damaged place', 'damaged places'],
    rows: anomalies.length,
    columns: {
      at: texts(
        'at',
        'address',
        anomalies.map(({ at }) => digits(at)),
      ),
      code: words(
        'code',
        anomalies.map(({ code }) => code),
      ),
      what: texts(
        'what',
        'text',
        anomalies.map(({ what }) => what),
      ),
    },
  }
}
