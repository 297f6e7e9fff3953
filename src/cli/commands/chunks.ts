// `arena-inspect chunks`: every chunk with its state, streamed; filtered, and sorted when asked.
import { once } from 'node:events'
import {
  CHUNK_STATES,
  type ChunkBatch,
  type ChunkFilter,
  type ChunkState,
} from '../../malloc/chunks/list-chunks.js'
import { byteCount, wholeNumber } from '../byte-count.js'
import type { ExitCode } from '../exit.js'
import { LargestChunks } from '../largest-chunks.js'
import type { TargetOptions } from '../target-arguments.js'
import { withMalloc } from '../with-malloc.js'

export interface ChunksOptions extends TargetOptions {
  readonly json?: boolean
  readonly format: 'text' | 'ndjson'
  readonly arena?: string
  readonly free?: boolean
  readonly used?: boolean
  readonly state?: readonly ChunkState[]
  readonly min?: string
  readonly max?: string
  readonly sort: 'address' | 'size'
  readonly limit?: string
}

export const FREE: readonly ChunkState[] = ['fastbin', 'unsorted', 'binned', 'top']
export const USED: readonly ChunkState[] = ['live', 'tcache', 'mmapped']
const NAMES = CHUNK_STATES.map((state) => state.padEnd(9))
export const CHUNKS_HEADER = 'chunk               size       state      arena\n'

export async function runChunks(targets: readonly string[], options: ChunksOptions): Promise<ExitCode> {
  const filter = filterOf(options)
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.limit, '--limit')
  const isJson = options.json === true || options.format === 'ndjson'
  const row = isJson ? jsonRow : textRow
  return withMalloc(targets, options, async (session) => {
    const batches = session.chunkBatches(filter)
    if (!isJson) await write(CHUNKS_HEADER)
    let left = limit
    for (const batch of options.sort === 'size' ? [largest(batches, limit)] : batches) {
      const count = Math.min(left, batch.count)
      for (let from = 0; from < count; from += ROWS_A_WRITE) {
        const lines: string[] = []
        for (let at = from; at < Math.min(count, from + ROWS_A_WRITE); at++) lines.push(row(batch, at))
        await write(lines.join(''))
      }
      left -= count
      if (left <= 0) break
    }
  })
}

const ROWS_A_WRITE = 4096

function filterOf(options: ChunksOptions): ChunkFilter {
  const states = [...(options.free ? FREE : []), ...(options.used ? USED : []), ...(options.state ?? [])]
  return {
    ...(options.arena === undefined ? {} : { arena: wholeNumber(options.arena, '--arena') }),
    ...(states.length === 0 ? {} : { states: new Set(states) }),
    ...(options.min === undefined ? {} : { minBytes: byteCount(options.min, '--min') }),
    ...(options.max === undefined ? {} : { maxBytes: byteCount(options.max, '--max') }),
  }
}

function largest(batches: Iterable<ChunkBatch>, limit: number): ChunkBatch {
  const chunks = new LargestChunks(limit)
  for (const batch of batches) chunks.add(batch)
  return chunks.sorted()
}

/** A line of `arena-inspect chunks`. */
export function textRow({ addresses, sizes, states, arenas }: ChunkBatch, at: number): string {
  const arena = arenas[at]!
  const owner = arena < 0 ? '-' : arena === 0 ? 'main' : String(arena)
  const address = `0x${addresses[at]!.toString(16)}`
  return `${address.padEnd(14)}${String(sizes[at]).padStart(10)}  ${NAMES[states[at]!]}  ${owner.padStart(5)}\n`
}

/** A ChunkLine. */
function jsonRow({ addresses, sizes, states, arenas }: ChunkBatch, at: number): string {
  const arena = arenas[at]!
  return `{"address":"0x${addresses[at]!.toString(16)}","sizeBytes":${sizes[at]},"state":"${CHUNK_STATES[states[at]!]}","arena":${arena < 0 ? null : arena}}\n`
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}
