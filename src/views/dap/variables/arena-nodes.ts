// The Arenas scope: every arena with its figures, its heaps, and its chunks by pages.
import { bytesText, countText } from '../../../format/sizes.js'
import { address } from '../../../memory/address.js'
import type { ReportArena, ReportHeapModel } from '../../../report/report.js'
import type { ChunkTable } from '../../../session/chunk-table.js'
import { CHUNK_STATES, type Session } from '../../../session/session.js'
import type { Work } from '../services.js'
import type { ChunkTables } from './chunk-tables.js'
import type { VariableNode, VariableRow } from './variable-node.js'

/** Of chunks that belong to no arena. */
const MMAPPED = -1

const FIGURES: readonly (readonly [name: string, of: (arena: ReportArena) => number | null])[] = [
  ['system bytes', (arena) => arena.systemBytes],
  ['in use bytes', (arena) => arena.inUseBytes],
  ['free bytes', (arena) => arena.freeBytes],
  ['fastbin bytes', (arena) => arena.fastbinBytes],
  ['binned bytes', (arena) => arena.binnedBytes],
  ['top bytes', (arena) => arena.topBytes],
  ['largest free bytes', (arena) => arena.largestFreeBytes],
  ['live bytes', (arena) => arena.liveBytes],
  ['tcache bytes', (arena) => arena.tcacheBytes],
  ['overhead bytes', (arena) => arena.overheadBytes],
  ['trim returns bytes', (arena) => arena.trimReturnsBytes],
  ['reserved bytes', (arena) => arena.reservedBytes],
  ['committed bytes', (arena) => arena.committedBytes],
]

const COUNTS: readonly (readonly [name: string, of: (arena: ReportArena) => number | null])[] = [
  ['free chunks', (arena) => arena.freeChunks],
  ['used chunks', (arena) => arena.usedChunks],
  ['tcache chunks', (arena) => arena.tcacheChunks],
  ['attached threads', (arena) => arena.attachedThreads],
]

/** Arenas by pages, then all of malloc together. */
export function arenasNode(session: Session, tables: ChunkTables): VariableNode {
  const { heap } = session.report
  if (!heap) return noteNode('no glibc malloc was found here')
  return {
    indexed: heap.arenas.length,
    named: () => [totalsRow(heap), mmappedRow(session, heap, tables)],
    page: (from, count) =>
      (session.report.heap?.arenas ?? [])
        .slice(from, from + count)
        .map((arena) => arenaRow(session, arena, tables)),
  }
}

export function noteNode(text: string): VariableNode {
  return { named: () => [{ name: 'note', value: text }] }
}

export function arenaRow(session: Session, arena: ReportArena, tables: ChunkTables): VariableRow {
  const { index, isMain, systemBytes, inUseBytes, freeBytes, complete } = arena
  const partial = complete ? '' : ' (incomplete)'
  return {
    name: isMain ? '[0] main' : `[${index}]`,
    value: `${arena.address}  ${bytesText(systemBytes)} from the kernel, ${bytesText(inUseBytes)} in use, ${bytesText(freeBytes)} free${partial}`,
    type: 'struct malloc_state',
    address: address(BigInt(arena.address)),
    node: { named: (work) => insideArena(session, arena, tables, work) },
  }
}

async function insideArena(
  session: Session,
  arena: ReportArena,
  tables: ChunkTables,
  work: Work,
): Promise<readonly VariableRow[]> {
  const expected = arena.usedChunks === null ? null : arena.usedChunks + (arena.freeChunks ?? 0)
  const table = await tables.of(session, { arena: arena.index }, expected, work)
  return [
    ...FIGURES.map(([name, of]) => ({ name, value: exactBytes(of(arena)) })),
    ...COUNTS.map(([name, of]) => ({ name, value: countText(of(arena)) })),
    {
      name: 'heaps',
      value: countText(arena.heaps.length),
      node: {
        indexed: arena.heaps.length,
        page: (from, count) =>
          arena.heaps.slice(from, from + count).map((heap, index) => ({
            name: `[${from + index}]`,
            value: `${heap.address}  ${exactBytes(heap.sizeBytes)}`,
            type: arena.isMain ? 'piece of the main heap' : 'struct _heap_info',
            address: address(BigInt(heap.address)),
          })),
      },
    },
    chunksRow(session, { arena: arena.index }, table, expected, tables),
  ]
}

// Pages are of the table as it is when they are asked for: a live process was perhaps read again.
function chunksRow(
  session: Session,
  filter: { readonly arena: number },
  { count }: ChunkTable,
  expected: number | null,
  tables: ChunkTables,
): VariableRow {
  if (count === 0 && expected) return { name: 'chunks', value: 'not kept in a snapshot' }
  return {
    name: 'chunks',
    value: countText(count),
    node: {
      indexed: count,
      page: async (from, wanted, work) =>
        chunkRows(await tables.of(session, filter, count, work), from, wanted),
    },
  }
}

function chunkRows(table: ChunkTable, from: number, count: number): VariableRow[] {
  const rows: VariableRow[] = []
  for (let row = from; row < Math.min(table.count, from + count); row++) {
    const at = table.address(row)
    rows.push({
      name: `[${row}]`,
      value: `0x${at.toString(16)}  ${countText(table.size(row))} bytes, ${CHUNK_STATES[table.state(row)]}`,
      type: 'struct malloc_chunk',
      address: at,
    })
  }
  return rows
}

function mmappedRow(
  session: Session,
  { mmapped: { count, bytes } }: ReportHeapModel,
  tables: ChunkTables,
): VariableRow {
  return {
    name: 'mmapped chunks',
    value: `${countText(count)}, ${exactBytes(bytes)}`,
    node: {
      named: async (work) => [
        chunksRow(
          session,
          { arena: MMAPPED },
          await tables.of(session, { arena: MMAPPED }, count, work),
          count,
          tables,
        ),
      ],
    },
  }
}

function totalsRow({ totals, parameters }: ReportHeapModel): VariableRow {
  const figures = Object.entries(totals).map(([name, value]) => ({
    name: spaced(name),
    value: name.endsWith('Bytes') ? exactBytes(value) : countText(value),
  }))
  const set = Object.entries(parameters ?? {}).map(([name, value]) => ({
    name: `mp_: ${spaced(name)}`,
    value: String(value),
  }))
  return {
    name: 'totals',
    value: `${bytesText(totals.systemBytes)} from the kernel, ${bytesText(totals.inUseBytes)} in use, ${bytesText(totals.freeBytes)} free`,
    node: { named: () => [...figures, ...set] },
  }
}

function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

/** `123456 (120.6 KiB)`; `unknown` where it is null. */
export function exactBytes(bytes: number | null): string {
  if (bytes === null) return 'unknown'
  return bytes < 1024 ? String(bytes) : `${bytes} (${bytesText(bytes)})`
}
