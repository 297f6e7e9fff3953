// The Memory pane chunk by chunk: a row is a chunk with its header and the first of its user bytes.
import { countText } from '../../../format/sizes.js'
import { type Address, hex, offset } from '../../../memory/address.js'
import type { ChunkMark, Session } from '../../../session/session.js'
import { cell } from '../columns.js'
import { asciiText, hexText, wordValue } from '../dump-text.js'
import { heapHolding } from '../heap-index.js'
import type { Paint } from '../paint.js'
import { type TuiState, withNotice } from '../tui-state.js'

const FIRST_WINDOW = 4096
const STATE_WIDTH = 9
const SIZE_WIDTH = 13
/** glibc malloc/malloc.c: PREV_INUSE 1, IS_MMAPPED 2, NON_MAIN_ARENA 4; its letters. */
const FLAGS = ['P', 'M', 'A'] as const

/** At most `count` chunks from the one that holds `at` on, within its heap. */
export function chunksFrom(session: Session, at: Address, count: number): readonly ChunkMark[] {
  const heap = heapHolding(session.report, at)
  if (!heap) return []
  const found: ChunkMark[] = []
  let from = at
  for (let window = FIRST_WINDOW; from < heap.end && found.length < count; window *= 2) {
    const end = from + BigInt(window) < heap.end ? offset(from, window) : (heap.end as Address)
    const chunks = session
      .chunksIn(from, end)
      .filter((chunk) => chunk.address > (found.at(-1)?.address ?? -1n))
    found.push(...chunks)
    const last = found.at(-1)
    const next = last ? last.address + BigInt(last.sizeBytes) : 0n
    from = next > end ? (next as Address) : end
  }
  return found.slice(0, count)
}

/** At most `count` chunks that end at or before `at`, in rising order. */
export function chunksBefore(session: Session, at: Address, count: number): readonly ChunkMark[] {
  const heap = at > 0n ? heapHolding(session.report, at - 1n) : null
  if (!heap) return []
  let found: readonly ChunkMark[] = []
  for (let window = FIRST_WINDOW; found.length < count; window *= 2) {
    const from = at - BigInt(window) > heap.start ? offset(at, -window) : (heap.start as Address)
    found = session.chunksIn(from, at)
    if (from === heap.start) break
  }
  return found.slice(-count)
}

/** The cursor `lines` chunks further (back when negative), inside its heap, with the top following. */
export function moveChunks(state: TuiState, session: Session, lines: number, page: number): TuiState {
  const { memory } = state
  const here = chunksFrom(session, memory.cursor, 1)[0]
  if (!here)
    return withNotice(state, 'error', "no malloc chunk here: x and w show what is outside malloc's heaps")
  const cursor =
    lines >= 0
      ? chunksFrom(session, here.address, lines + 1).at(-1)!.address
      : (chunksBefore(session, here.address, -lines)[0] ?? here).address
  return withTop({ ...state, memory: { ...memory, cursor } }, session, page)
}

/** To the first (1) or last (-1) chunk of the heap. */
export function toHeapEnd(state: TuiState, session: Session, direction: 1 | -1, page: number): TuiState {
  const heap = heapHolding(session.report, state.memory.cursor)
  const chunk = !heap
    ? undefined
    : direction === 1
      ? chunksFrom(session, heap.start as Address, 1)[0]
      : chunksBefore(session, heap.end as Address, 1)[0]
  if (!chunk) return withNotice(state, 'error', 'no malloc chunk here')
  return withTop({ ...state, memory: { ...state.memory, cursor: chunk.address } }, session, page)
}

/** The top such that the cursor's chunk is among the `page` rows from it. */
export function withTop(state: TuiState, session: Session, page: number): TuiState {
  const { memory } = state
  const here = chunksFrom(session, memory.cursor, 1)[0]
  if (!here) return state
  const shown = chunksFrom(session, memory.top, page)
  const isShown = shown.some(({ address }) => address === here.address)
  const top = isShown
    ? shown[0]!.address
    : here.address < memory.top
      ? here.address
      : (chunksBefore(session, here.address, page - 1)[0] ?? here).address
  return { ...state, memory: { ...memory, cursor: here.address, top } }
}

function flagsText(size: bigint | null): string {
  if (size === null) return '?'
  return FLAGS.map((letter, bit) => ((size >> BigInt(bit)) & 1n ? letter : '-')).join('')
}

function chunkRow(state: TuiState, session: Session, chunk: ChunkMark, paint: Paint): string {
  const { columns } = state.size
  const word = session.wordBytes
  const preview = columns >= 150 ? 32 : columns >= 100 ? 16 : columns >= 70 ? 8 : 0
  const isHeader = chunk.state === 'arena'
  const read = session.read(chunk.address, 2 * word + preview)
  const size = isHeader ? null : wordValue(read, word, word)
  const user = Math.max(0, Math.min(preview, chunk.sizeBytes - 2 * word))
  const bytes = isHeader
    ? 'heap_info, malloc_state'
    : `${cell(hexText(read, 2 * word, user, word), preview * 2 + Math.max(0, preview / word - 1))} ${asciiText(read, 2 * word, user)}`
  const name = isHeader ? 'headers' : chunk.state
  const text =
    `${hex(chunk.address)} ${cell(name, STATE_WIDTH)} ` +
    `${cell(countText(chunk.sizeBytes), SIZE_WIDTH, 'right')} ${cell(isHeader ? '' : flagsText(size), 3)}  ${bytes}`
  const isUnder = state.memory.cursor === chunk.address
  if (isUnder) return paint.selected(cell(`▸${text}`, columns))
  return ` ${paint.chunk[chunk.state](cell(text, columns - 1).trimEnd())}`
}

/** A heading and at most `page` − 1 chunks. */
export function memoryChunkRows(state: TuiState, session: Session, page: number, paint: Paint): string[] {
  const chunks = chunksFrom(session, state.memory.top, page - 1)
  if (chunks.length === 0)
    return ['', " no malloc chunk here: x shows bytes, w words; chunks are inside malloc's heaps"]
  const heading = ` ${cell('chunk', 14)} ${cell('state', STATE_WIDTH)} ${cell('bytes', SIZE_WIDTH, 'right')} PMA  user bytes`
  return [
    paint.title(cell(heading, state.size.columns)),
    ...chunks.map((chunk) => chunkRow(state, session, chunk, paint)),
  ]
}
