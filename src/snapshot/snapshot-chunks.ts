// The chunks of a snapshot: blocks unpacked when they are asked for, the last few kept.
import { CHUNK_STATES, type ChunkBatch, type ChunkFilter } from '../malloc/chunks/list-chunks.js'
import { type Address, address } from '../memory/address.js'
import { HIGH_HALF, halvesOf, LOW_HALF } from '../memory/word-halves.js'
import type { ChunkMark } from '../session/session.js'
import { BLOCK_ROWS, type BlockDetail, type ChunkColumns, decodeBlock, parseDetail } from './chunk-block.js'
import { DamagedRecord } from './damaged-snapshot.js'
import type { SnapshotArena } from './lines.js'
import type { RecordPlace } from './record.js'
import { KIND } from './snapshot.js'
import type { SnapshotFile } from './snapshot-file.js'

/** Blocks that are kept unpacked, a MiB each at most. */
const KEPT = 8

const MARKS: Readonly<Record<(typeof CHUNK_STATES)[number], ChunkMark['state']>> = {
  live: 'used',
  mmapped: 'used',
  tcache: 'used',
  fastbin: 'used',
  unsorted: 'free',
  binned: 'free',
  top: 'top',
  fencepost: 'fencepost',
}
const MARK_OF = CHUNK_STATES.map((state) => MARKS[state])

interface Block extends BlockDetail {
  readonly place: RecordPlace
}

export class SnapshotChunks {
  readonly #blocks: readonly Block[]
  readonly #kept = new Map<Block, ChunkColumns>()

  /** Throws DamagedRecord. */
  constructor(
    private readonly file: SnapshotFile,
    private readonly arenas: readonly SnapshotArena[],
  ) {
    this.#blocks = file.ofKind(KIND.chunks).map((place) => ({ place, ...parseDetail(place) }))
  }

  /** Chunks that are there. */
  get count(): number {
    return this.#blocks.reduce((sum, { count }) => sum + count, 0)
  }

  /** As Session's; throws TargetError at a damaged record. */
  *batches(filter: ChunkFilter): Generator<ChunkBatch> {
    const addresses = new BigUint64Array(BLOCK_ROWS)
    const halves = halvesOf(addresses)
    const sizes = new Float64Array(BLOCK_ROWS)
    const states = new Uint8Array(BLOCK_ROWS)
    const arenas = new Int32Array(BLOCK_ROWS)
    const wanted = CHUNK_STATES.map((state) => filter.states?.has(state) ?? true)
    const { minBytes: least = 0, maxBytes: most = Number.POSITIVE_INFINITY } = filter
    for (const block of this.#blocks) {
      if (filter.arena !== undefined && filter.arena !== block.arena) continue
      const found = this.file.told(() => this.#unpacked(block))
      let count = 0
      for (let row = 0; row < found.count; row++) {
        const size = found.sizes[row]!
        if (size < least || size > most || !wanted[found.states[row]!]) continue
        const at = found.starts[row]!
        halves[2 * count + HIGH_HALF] = Math.floor(at / 0x1_0000_0000)
        halves[2 * count + LOW_HALF] = at >>> 0
        sizes[count] = size
        states[count] = found.states[row]!
        count++
      }
      arenas.fill(block.arena, 0, count)
      if (count > 0) yield { count, addresses, sizes, states, arenas }
    }
  }

  /** As Session's; empty where a record is damaged. */
  chunksIn(start: Address, end: Address): readonly ChunkMark[] {
    const [from, to] = [Number(start), Number(end)]
    const marks = this.#headersIn(start, end)
    for (const block of this.#blocks) {
      // Mmapped chunks are no part of a heap.
      if (block.arena < 0 || block.start >= to || block.end <= from) continue
      try {
        this.#rowsIn(this.#kept.get(block) ?? this.#keep(block), from, to, marks)
      } catch (error) {
        if (!(error instanceof DamagedRecord)) throw error
      }
    }
    return marks.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  }

  // What malloc keeps for itself at the start of a heap.
  #headersIn(start: Address, end: Address): ChunkMark[] {
    return this.arenas.flatMap(({ index, heaps }) =>
      heaps.flatMap(({ address: at, headerBytes }): ChunkMark[] => {
        if (headerBytes === null || headerBytes === 0) return []
        const isIn = at < end && at + BigInt(headerBytes) > start
        return isIn ? [{ address: at, sizeBytes: headerBytes, state: 'arena', arenaIndex: index }] : []
      }),
    )
  }

  #rowsIn(
    { arena, count, starts, sizes, states }: ChunkColumns,
    from: number,
    to: number,
    marks: ChunkMark[],
  ) {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle]! + sizes[middle]! > from) high = middle
      else low = middle + 1
    }
    for (let row = low; row < count && starts[row]! < to; row++) {
      const state = MARK_OF[states[row]!]!
      marks.push({ address: address(starts[row]!), sizeBytes: sizes[row]!, state, arenaIndex: arena })
    }
  }

  #keep(block: Block): ChunkColumns {
    const columns = this.#unpacked(block)
    const [oldest] = this.#kept.keys()
    if (oldest && this.#kept.size >= KEPT) this.#kept.delete(oldest)
    this.#kept.set(block, columns)
    return columns
  }

  #unpacked(block: Block): ChunkColumns {
    return decodeBlock(this.file.content(block.place), block)
  }
}
