// The Session over a snapshot or a saved report: the same answers as over the target, as far as the file holds them.
import type { ChunkBatch, ChunkFilter } from '../malloc/chunks/list-chunks.js'
import type { Piece } from '../maps/categorize.js'
import { type Address, hex, offset } from '../memory/address.js'
import type { MemorySource } from '../memory/memory-source.js'
import type { Region } from '../memory/region.js'
import { type SearchStep, searchMemory } from '../memory/search.js'
import type { Report } from '../report/report.js'
import type { HeapRow, InspectedSession } from '../session/inspected-session.js'
import { parseNeedle } from '../session/needle.js'
import { describePlace, markText, nextMapped, stackNames } from '../session/places.js'
import type { ChunkMark, Description, MemoryRead } from '../session/session.js'
import { type Frame, TargetError } from '../target/target.js'
import type { SnapshotArena, Variable } from './lines.js'
import type { SnapshotChunks } from './snapshot-chunks.js'

/** What a file holds besides its report; null: it does not. */
export interface SnapshotParts {
  readonly report: Report
  readonly wordBytes: 8 | 4
  readonly pageBytes: number
  readonly pieces: readonly Piece[] | null
  readonly arenas: readonly SnapshotArena[] | null
  readonly variables: readonly Variable[]
  readonly stacks: ReadonlyMap<number, readonly Frame[]>
  readonly chunks: SnapshotChunks | null
  /** Why there are no chunks. */
  readonly noChunks: { readonly what: string; readonly hint: string }
  /** Null: `noMemory` says why. */
  readonly memory: MemorySource | null
  readonly noMemory: string
  /** Set where there is a memory that holds no bytes: a search in it would find that nothing is anywhere. */
  readonly whyNoSearch: string | null
  readonly close: () => void
}

export class SnapshotSession implements InspectedSession {
  readonly isLive = false
  readonly report: Report
  readonly pieces: readonly Piece[]
  readonly wordBytes: 8 | 4
  readonly #regions: readonly Region[]

  constructor(private readonly parts: SnapshotParts) {
    this.report = parts.report
    this.pieces = parts.pieces ?? []
    this.wordBytes = parts.wordBytes
    this.#regions = [...new Set(this.pieces.map(({ region }) => region))]
  }

  /** What the file does not tell, for messages: null where it has the address space. */
  get hasPlaces(): boolean {
    return this.parts.pieces !== null
  }

  processState(): null {
    return null
  }

  async refresh(): Promise<Report> {
    return this.report
  }

  read(start: Address, length: number): MemoryRead {
    const bytes = new Uint8Array(length)
    const known = new Uint8Array(length)
    const { memory, pageBytes, noMemory } = this.parts
    if (!memory) return { start, bytes, known, fault: length > 0 ? noMemory : null }
    let fault: string | null = null
    for (let at = 0; at < length; ) {
      const got = memory.read(offset(start, at), bytes.subarray(at))
      known.fill(1, at, at + got)
      at += got
      if (at >= length) break
      const missing = offset(start, at)
      fault ??= memory.fault(missing).message
      at += pageBytes - Number(missing & BigInt(pageBytes - 1))
    }
    return { start, bytes, known, fault }
  }

  chunksIn(start: Address, end: Address): readonly ChunkMark[] {
    return this.parts.chunks?.chunksIn(start, end) ?? []
  }

  /** Throws TargetError where the file holds no chunks. */
  chunkBatches(filter: ChunkFilter): Iterable<ChunkBatch> {
    const { chunks, noChunks, report } = this.parts
    if (chunks) return chunks.batches(filter)
    if (report.heap === null) return []
    throw new TargetError(noChunks.what, noChunks.hint)
  }

  /** Of libc's variables only: the file holds no symbols. */
  async symbolsOf(values: readonly bigint[]): Promise<readonly (string | null)[]> {
    const { variables } = this.parts
    return values.map((value) => {
      const found = variables.find(
        ({ address, bytes }) => value >= address && value < address + BigInt(bytes),
      )
      if (!found) return null
      return value === found.address ? found.name : `${found.name}+${value - found.address}`
    })
  }

  async stacks(depth: number): Promise<ReadonlyMap<number, readonly string[]>> {
    return stackNames(await this.frames(depth))
  }

  async frames(depth: number): Promise<ReadonlyMap<number, readonly Frame[]>> {
    return new Map([...this.parts.stacks].map(([tid, frames]) => [tid, frames.slice(0, depth)]))
  }

  describe(at: Address): Description {
    if (!this.hasPlaces)
      return { lines: [`a saved report does not tell what is at ${hex(at)}`], regionStart: null }
    const chunk = this.chunksIn(at, offset(at, 1))[0]
    return describePlace(at, this.pieces, chunk ? markText(chunk, at) : null, [], this.parts.arenas ?? [])
  }

  /** Links lie in memory, of which no structure is read here. */
  linksOf(): readonly [] {
    return []
  }

  /** Throws TargetError where the file holds no memory. */
  search(text: string, from: Address | null, direction: 1 | -1): Iterable<SearchStep> {
    const { memory, pageBytes, noMemory, whyNoSearch } = this.parts
    if (!memory || whyNoSearch !== null)
      throw new TargetError(whyNoSearch ?? noMemory, 'search the core or the process itself')
    const { bytes, alignBytes } = parseNeedle(text, this.wordBytes)
    return searchMemory(memory, this.#regions, { bytes, alignBytes, from, direction, pageBytes })
  }

  nextMapped(at: Address, direction: 1 | -1): Address | null {
    return nextMapped(this.#regions, at, direction)
  }

  heaps(): readonly HeapRow[] | null {
    const { arenas } = this.parts
    if (!arenas) return null
    return arenas.flatMap(({ index, heaps }) =>
      heaps.map(({ headerBytes: _, ...heap }) => ({ arena: index, ...heap })),
    )
  }

  async addressesOf(names: readonly string[]): Promise<ReadonlyMap<string, Address>> {
    const { variables } = this.parts
    return new Map(
      variables.filter(({ name }) => names.includes(name)).map(({ name, address }) => [name, address]),
    )
  }

  get symbolsProblem(): string {
    const names = this.parts.variables.map(({ name }) => name)
    return names.length === 0 ? 'a saved report has none' : `a snapshot has ${names.join(' and ')} only`
  }

  async close(): Promise<void> {
    this.parts.close()
  }
}
