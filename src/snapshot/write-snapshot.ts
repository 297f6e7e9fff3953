// A session as the records of a snapshot, one after the other: memory follows the largest record, not the target.
import { segmentsOf } from '../malloc/arenas/segments.js'
import type { MallocState } from '../malloc/read-heap-model.js'
import type { Piece } from '../maps/categorize.js'
import { hex } from '../memory/address.js'
import { permissionText, type Region } from '../memory/region.js'
import type { TargetSession } from '../session/open-session.js'
import { detailOf, encodeBlock } from './chunk-block.js'
import { chunkBlocks } from './chunk-blocks.js'
import { packRecord } from './record.js'
import { savedMemory } from './saved-memory.js'
import {
  type ArenaLine,
  KIND,
  type RegionLine,
  SNAPSHOT_SCHEMA,
  type SnapshotEnd,
  type SnapshotHeader,
  type ThreadLine,
  type VariableLine,
} from './snapshot.js'

export interface SnapshotContents {
  /** What makes it, for people. */
  readonly tool: string
  readonly madeAt: Date
  /** False: chunks are left out. */
  readonly chunks: boolean
  /** True: what the memory holds goes with it. */
  readonly memory: boolean
}

/** Frames kept of each stack. */
const STACK_DEPTH = 32
/** Lines of a record are joined up to so many characters. */
const RECORD_CHARACTERS = 1 << 20

/** The bytes of the file, record by record. A live process is read meanwhile: chunks and memory are of later moments. */
export async function* snapshotRecords(
  session: TargetSession,
  { tool, madeAt, chunks, memory }: SnapshotContents,
): AsyncGenerator<Uint8Array> {
  const { target, report, pieces, measurement } = session
  const { malloc } = measurement
  const header: SnapshotHeader = {
    schema: SNAPSHOT_SCHEMA,
    tool,
    madeAt: madeAt.toISOString(),
    wordBytes: session.wordBytes,
    pageBytes: target.pageBytes,
    chunks: chunks && malloc !== null,
    memory,
  }
  let records = 0
  let chunkCount = 0
  const record = (kind: number, content: Uint8Array, detail?: Uint8Array): Uint8Array => {
    records++
    return packRecord(kind, content, detail)
  }
  yield record(KIND.header, textOf(header))
  yield record(KIND.report, textOf(report))
  for (const text of joined(regionLines(pieces))) yield record(KIND.regions, Buffer.from(text))
  if (malloc) for (const text of joined(mallocLines(malloc))) yield record(KIND.malloc, Buffer.from(text))
  const stacks = await session.frames(STACK_DEPTH)
  for (const text of joined(threadLines(stacks))) yield record(KIND.threads, Buffer.from(text))
  if (header.chunks) {
    for (const block of chunkBlocks(session.chunkBatches({}))) {
      chunkCount += block.count
      yield record(KIND.chunks, encodeBlock(block), detailOf(block))
    }
  }
  if (memory) {
    for (const { start, bytes } of savedMemory(target, pieces)) {
      const detail = new Uint8Array(8)
      new DataView(detail.buffer).setBigUint64(0, start, true)
      yield record(KIND.memory, bytes, detail)
    }
  }
  const end: SnapshotEnd = { records: records + 1, chunks: chunkCount }
  yield record(KIND.end, textOf(end))
}

function textOf(line: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`)
}

function* joined(lines: Iterable<object>): Generator<string> {
  let text = ''
  for (const line of lines) {
    text += `${JSON.stringify(line)}\n`
    if (text.length < RECORD_CHARACTERS) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}

function* regionLines(pieces: readonly Piece[]): Generator<RegionLine> {
  for (let index = 0; index < pieces.length; ) {
    const { region } = pieces[index]!
    let next = index + 1
    while (pieces[next]?.region === region) next++
    yield regionLine(region, pieces.slice(index, next))
    index = next
  }
}

function regionLine(region: Region, pieces: readonly Piece[]): RegionLine {
  return {
    start: hex(region.start),
    end: hex(region.end),
    permissions: permissionText(region.permissions),
    fileOffset: hex(region.fileOffset),
    path: region.path,
    pieces: pieces.map(({ category, end, residentBytes }) => ({ category, end: hex(end), residentBytes })),
  }
}

function* mallocLines({ model, layout }: MallocState): Generator<VariableLine | ArenaLine> {
  const { mainArena, mallocPar } = model.glibc
  yield { variable: 'main_arena', address: hex(mainArena), bytes: layout.arena.sizeBytes }
  if (mallocPar !== null) yield { variable: 'mp_', address: hex(mallocPar), bytes: layout.par.sizeBytes }
  for (const arena of model.arenas) {
    const { top } = arena
    const segments = top === null ? null : segmentsOf({ ...arena, top }, layout)
    yield {
      arena: arena.index,
      address: hex(arena.address),
      bytes: layout.arena.sizeBytes,
      heaps: arena.heaps.map((heap, index) => ({
        ...heap,
        address: hex(heap.address),
        headerBytes: segments?.[index]?.first ?? null,
      })),
    }
  }
}

function* threadLines(stacks: Awaited<ReturnType<TargetSession['frames']>>): Generator<ThreadLine> {
  for (const [tid, frames] of stacks) {
    const shown = frames.map(({ pc, functionName, source }) => ({ pc: hex(pc), functionName, source }))
    yield { tid, frames: shown }
  }
}
