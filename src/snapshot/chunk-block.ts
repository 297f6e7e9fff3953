// Chunks of one arena in rising order as bytes: addresses follow from sizes within a run, states are a byte each.
import { CHUNK_STATES } from '../malloc/chunks/list-chunks.js'
import { DamagedRecord } from './damaged-snapshot.js'
import type { RecordPlace } from './record.js'
import { VarintReader, VarintWriter } from './varints.js'

/** Rows of one block; a block never has more. */
export const BLOCK_ROWS = 1 << 16

/** Rows 0 … count−1; addresses are numbers, which user space's fit in. */
export interface ChunkColumns {
  readonly arena: number
  readonly count: number
  readonly starts: Float64Array
  readonly sizes: Float64Array
  /** Indexes into CHUNK_STATES. */
  readonly states: Uint8Array
}

/** What is told of a block before it is unpacked. */
export interface BlockDetail {
  readonly arena: number
  readonly count: number
  /** The first chunk's address, and the end of the last. */
  readonly start: number
  readonly end: number
}

const DETAIL_BYTES = 24

export function detailOf({ arena, count, starts, sizes }: ChunkColumns): Uint8Array {
  const bytes = new Uint8Array(DETAIL_BYTES)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, arena, true)
  view.setUint32(4, count, true)
  view.setFloat64(8, starts[0]!, true)
  view.setFloat64(16, starts[count - 1]! + sizes[count - 1]!, true)
  return bytes
}

/** Throws DamagedRecord. */
export function parseDetail({ detail, position }: RecordPlace): BlockDetail {
  const view = new DataView(detail.buffer, detail.byteOffset, detail.length)
  if (detail.length < DETAIL_BYTES)
    throw new DamagedRecord(`its record at byte ${position} says too little of itself`)
  const [arena, count] = [view.getInt32(0, true), view.getUint32(4, true)]
  const [start, end] = [view.getFloat64(8, true), view.getFloat64(16, true)]
  if (arena < -1 || count === 0 || count > BLOCK_ROWS || !isAddress(start) || !isAddress(end) || end < start)
    throw new DamagedRecord(`its record at byte ${position} is of no chunks that can be`)
  return { arena, count, start, end }
}

function isAddress(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

const WRITER = new VarintWriter()

/** Valid until the next block is encoded. */
export function encodeBlock({ count, starts, sizes, states }: ChunkColumns): Uint8Array {
  const runs: number[] = [0]
  let bits = 0
  for (let row = 0; row < count; row++) {
    if (row > 0 && starts[row]! !== starts[row - 1]! + sizes[row - 1]!) runs.push(row)
    // The low half tells the alignment.
    bits |= sizes[row]! % 0x1_0000_0000
  }
  const shift = bits === 0 ? 0 : 31 - Math.clz32(bits & -bits)
  const scale = 2 ** shift
  WRITER.add(shift)
  WRITER.add(runs.length)
  for (const [index, row] of runs.entries()) {
    WRITER.add((runs[index + 1] ?? count) - row)
    WRITER.add(starts[row]!)
  }
  for (let row = 0; row < count; row++) WRITER.add(sizes[row]! / scale)
  WRITER.addBytes(states.subarray(0, count))
  return WRITER.take()
}

/** Throws DamagedRecord. */
export function decodeBlock(bytes: Uint8Array, { arena, count, start, end }: BlockDetail): ChunkColumns {
  const reader = new VarintReader(bytes)
  const shift = reader.next()
  const runCount = reader.next()
  if (shift > 31 || runCount > count) throw new DamagedRecord('a record of chunks does not add up')
  const rows: number[] = []
  const begins: number[] = []
  for (let run = 0; run < runCount; run++) {
    rows.push(reader.next())
    begins.push(reader.next())
  }
  if (rows.reduce((sum, run) => sum + run, 0) !== count)
    throw new DamagedRecord('a record of chunks does not add up')
  const starts = new Float64Array(count)
  const sizes = new Float64Array(count)
  const scale = 2 ** shift
  let row = 0
  let at = 0
  for (const [run, length] of rows.entries()) {
    if (begins[run]! < at) throw new DamagedRecord('chunks of a record are out of order')
    at = begins[run]!
    for (let last = row + length; row < last; row++) {
      starts[row] = at
      const size = reader.next() * scale
      sizes[row] = size
      at += size
    }
  }
  if (!isAddress(at) || at !== end || starts[0] !== start)
    throw new DamagedRecord('a record of chunks is not where it says')
  const states = reader.rest(count)
  if (states.some((state) => state >= CHUNK_STATES.length))
    throw new DamagedRecord('a record has chunks of an unknown state')
  return { arena, count, starts, sizes, states }
}
