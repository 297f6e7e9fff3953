// `chunks` in the console: walked arena by arena, filtered here so that other requests are answered meanwhile.
import { countText } from '../../format/sizes.js'
import { CHUNK_STATES, type ChunkBatch, type ChunkState } from '../../session/session.js'
import type { Work } from '../../views/dap/services.js'
import { byteCount, wholeNumber } from '../byte-count.js'
import { CHUNKS_HEADER, FREE, textRow, USED } from '../commands/chunks.js'
import { LargestChunks } from '../largest-chunks.js'
import { type ConsoleCommand, type ConsoleWords, heapOf, usageError } from './console-command.js'

const LIMIT = 100
const MOST = 100_000

export const chunks: ConsoleCommand = {
  name: 'chunks',
  usage: '[--arena N] [--free|--used|--state S] [--min SIZE] [--max SIZE] [--sort address|size] [--limit N]',
  about: 'chunks with their sizes and states',
  options: {
    arena: { about: 'of one arena only', takes: 'N' },
    free: { about: 'that malloc can hand out again', takes: null },
    used: { about: 'of the program, and in tcaches', takes: null },
    state: { about: 'only this state', takes: CHUNK_STATES.join('|') },
    min: { about: 'at least this large', takes: 'SIZE' },
    max: { about: 'at most this large', takes: 'SIZE' },
    sort: { about: 'in which order', takes: 'address|size' },
    limit: { about: `at most so many (${LIMIT})`, takes: 'N' },
  },
  async run(debuggee, words, work) {
    const heap = heapOf(debuggee)
    const isWanted = filterOf(words)
    const limit = Math.min(MOST, wholeNumber(words.value('limit') ?? String(LIMIT), '--limit'))
    const sort = words.value('sort') ?? 'address'
    if (sort !== 'address' && sort !== 'size') throw usageError(this, '--sort takes address or size')
    const only = words.value('arena')
    const arena = only === undefined ? {} : { arena: wholeNumber(only, '--arena') }
    if (arena.arena !== undefined && !heap.arenas[arena.arena])
      throw usageError(this, `there is no arena ${only}`)
    const expected = heap.totals.usedChunks
    const all = debuggee.session.chunkBatches(arena)
    return sort === 'size'
      ? largest(all, isWanted, limit, expected, work)
      : first(all, isWanted, limit, expected, work)
  },
}

type Wanted = (batch: ChunkBatch, at: number) => boolean

function filterOf(words: ConsoleWords): Wanted {
  const state = words.value('state')
  if (state !== undefined && !CHUNK_STATES.includes(state as ChunkState))
    throw usageError(chunks, `--state takes ${CHUNK_STATES.join(', ')}`)
  const states = [
    ...(words.flag('free') ? FREE : []),
    ...(words.flag('used') ? USED : []),
    ...(state === undefined ? [] : [state as ChunkState]),
  ]
  const allowed = CHUNK_STATES.map((name) => states.length === 0 || states.includes(name))
  const size = (option: string, other: number) => {
    const text = words.value(option)
    return text === undefined ? other : byteCount(text, `--${option}`)
  }
  const least = size('min', 0)
  const most = size('max', Number.POSITIVE_INFINITY)
  return ({ sizes, states: of }, at) => sizes[at]! >= least && sizes[at]! <= most && allowed[of[at]!]!
}

/** Every chunk is seen, so that the number of those left out is true. */
async function first(
  batches: Iterable<ChunkBatch>,
  isWanted: Wanted,
  limit: number,
  expected: number | null,
  work: Work,
): Promise<string> {
  const lines: string[] = []
  let found = 0
  await each(batches, expected, work, (batch) => {
    for (let at = 0; at < batch.count; at++) {
      if (!isWanted(batch, at)) continue
      if (found < limit) lines.push(textRow(batch, at))
      found++
    }
  })
  return `${CHUNKS_HEADER}${lines.join('')}${left(found, lines.length)}`
}

async function largest(
  batches: Iterable<ChunkBatch>,
  isWanted: Wanted,
  limit: number,
  expected: number | null,
  work: Work,
): Promise<string> {
  const kept = new LargestChunks(limit)
  let found = 0
  await each(batches, expected, work, (batch) => {
    const wanted = picked(batch, isWanted)
    kept.add(wanted)
    found += wanted.count
  })
  const sorted = kept.sorted()
  const lines = Array.from({ length: sorted.count }, (_, at) => textRow(sorted, at))
  return `${CHUNKS_HEADER}${lines.join('')}${left(found, lines.length)}`
}

function picked(batch: ChunkBatch, isWanted: Wanted): ChunkBatch {
  const rows: number[] = []
  for (let at = 0; at < batch.count; at++) if (isWanted(batch, at)) rows.push(at)
  return {
    count: rows.length,
    addresses: BigUint64Array.from(rows, (at) => batch.addresses[at]!),
    sizes: Float64Array.from(rows, (at) => batch.sizes[at]!),
    states: Uint8Array.from(rows, (at) => batch.states[at]!),
    arenas: Int32Array.from(rows, (at) => batch.arenas[at]!),
  }
}

async function each(
  batches: Iterable<ChunkBatch>,
  expected: number | null,
  work: Work,
  see: (batch: ChunkBatch) => void,
): Promise<void> {
  let seen = 0
  for (const batch of batches) {
    see(batch)
    seen += batch.count
    work.tell(`${countText(seen)} chunks`, expected ? (100 * seen) / expected : null)
    await work.breathe()
  }
}

function left(found: number, shown: number): string {
  return found > shown
    ? `${countText(found)} chunks, of which ${countText(shown)} are shown; --limit shows more\n`
    : `${countText(found)} chunks\n`
}
