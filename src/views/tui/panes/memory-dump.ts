// The rows of the hexdump: read in one go per mapped stretch, marked, and drawn.

import { printable } from '../../../format/printable.js'
import { bytesText } from '../../../format/sizes.js'
import { type Address, hex, offset } from '../../../memory/address.js'
import type { MemoryRead, Session } from '../../../session/session.js'
import { ChunkIndex, fieldText, markText } from '../chunk-marks.js'
import { cell } from '../columns.js'
import { type DumpShape, shapeFor } from '../dump-shape.js'
import { asciiText, hexText, wordText, wordValue } from '../dump-text.js'
import { arenaHolding } from '../heap-index.js'
import { isMapped, type MemoryRow, rowsFrom } from '../memory-rows.js'
import type { Paint } from '../paint.js'
import { bodySize, type TuiState } from '../tui-state.js'

/** The lines about the cursor under the dump. */
const ABOUT_ROWS = 2

/** Rows of the dump on the screen. */
export function memoryPage(state: TuiState): number {
  return Math.max(1, bodySize(state).rows - ABOUT_ROWS)
}

/** One stretch without holes, with what is known of it. */
interface Stretch {
  readonly start: Address
  readonly rows: readonly Address[]
  readonly read: MemoryRead
  readonly chunks: ChunkIndex
}

function stretches(rows: readonly MemoryRow[], session: Session, rowBytes: number): Stretch[] {
  const groups: Address[][] = [[]]
  for (const row of rows) {
    if (row.kind === 'data') groups.at(-1)!.push(row.at)
    else groups.push([])
  }
  return groups
    .filter((group) => group.length > 0)
    .map((group) => {
      const start = group[0]!
      const length = group.length * rowBytes
      const chunks = new ChunkIndex(session.chunksIn(start, offset(start, length)))
      return { start, rows: group, read: session.read(start, length), chunks }
    })
}

function isPointer(session: Session, value: bigint | null): value is bigint {
  return value !== null && value > 0xffffn && isMapped(session, value)
}

/** The pointers on the screen whose symbols nobody asked for yet; empty in the bytes view. */
export function wantedSymbols(state: TuiState, session: Session): bigint[] {
  if (state.memory.view !== 'words') return []
  const { wordBytes } = session
  const shape = shapeFor('words', state.size.columns, wordBytes)
  const wanted = new Set<bigint>()
  for (const { rows, read } of stretches(
    rowsFrom(session, state.memory.top, memoryPage(state), shape.bytes),
    session,
    shape.bytes,
  )) {
    for (let index = 0; index < rows.length; index++) {
      const value = wordValue(read, index * shape.bytes, wordBytes)
      if (isPointer(session, value) && !state.symbols.has(value)) wanted.add(value)
    }
  }
  return [...wanted]
}

function holeRow(from: Address, to: Address, width: number, paint: Paint): string {
  return paint.dim(
    cell(`╌╌ ${bytesText(Number(to - from))} not mapped, up to ${hex(to)} `, width).replace(/ {2,}$/, ''),
  )
}

/** The word's field in its chunk, and what it points to: a symbol, an arena's heap, or just something mapped. */
function noteText(state: TuiState, session: Session, field: string | null, value: bigint | null): string {
  const parts = field === null ? [] : [field]
  if (isPointer(session, value)) {
    const symbol = state.symbols.get(value)
    const arena = arenaHolding(session.report, value)
    parts.push(symbol ? `<${printable(symbol)}>` : arena === null ? '→' : `→ arena ${arena}`)
  }
  return parts.join(' ')
}

interface Drawing {
  readonly state: TuiState
  readonly session: Session
  readonly shape: DumpShape
  readonly paint: Paint
}

/** The words of a row in hex, the one under the cursor in brackets, each in the colour of its chunk. */
function hexColumns(row: Address, stretch: Stretch, { state, shape, paint }: Drawing): string {
  const from = Number(row - stretch.start)
  const spaced = shape.groupBytes === 1
  let text = ''
  for (let i = 0; i < shape.bytes; i += shape.wordBytes) {
    const hexes =
      shape.view === 'words'
        ? wordText(stretch.read, from + i, shape.wordBytes)
        : hexText(stretch.read, from + i, shape.wordBytes, shape.groupBytes)
    const selected = offset(row, i) === state.memory.cursor
    const owner = stretch.chunks.at(row + BigInt(i))
    const before = !spaced && i > 0 ? '' : selected ? '[' : ' '
    const nextSelected = !spaced && offset(row, i + shape.wordBytes) === state.memory.cursor
    const after = selected ? ']' : nextSelected && i + shape.wordBytes < shape.bytes ? '[' : ' '
    text += selected
      ? paint.selected(`${before}${hexes}${after}`)
      : `${before}${owner ? paint.chunk[owner.state](hexes) : hexes}${after}`
  }
  return text
}

/** The whole mark where a chunk starts and on the first row of a stretch, a rail along the rest. */
function markColumn(row: Address, stretch: Stretch, width: number, { shape, paint }: Drawing): string {
  const chunk = stretch.chunks.inRow(row, shape.bytes)
  if (!chunk || width <= 0) return ' '.repeat(Math.max(0, width))
  const starts = chunk.address >= row
  const mark = starts || row === stretch.start ? markText(chunk, starts, shape.longMarks) : '│'
  return ` ${paint.chunk[chunk.state](cell(mark, width - 1))}`
}

function dataRow(row: Address, stretch: Stretch, drawing: Drawing): string {
  const { state, session, shape, paint } = drawing
  const at = Number(row - stretch.start)
  const digits = row.toString(16).padStart(shape.addressDigits, '0')
  const chunk = stretch.chunks.inRow(row, shape.bytes)
  const text =
    paint.dim(digits) +
    hexColumns(row, stretch, drawing) +
    asciiText(stretch.read, at, shape.bytes) +
    markColumn(row, stretch, shape.markWidth - (digits.length - shape.addressDigits), drawing)
  if (shape.noteWidth === 0) return text
  const stored = wordValue(stretch.read, at, shape.wordBytes)
  // What looks used may be in a tcache or fastbin: its first word is then a link, under safe-linking since 2.32.
  const mayLink = chunk?.state === 'used' && row === offset(chunk.address, 2 * shape.wordBytes)
  const link = mayLink ? session.linksOf(chunk).find(({ at: place }) => place === row) : undefined
  const field = link?.name ?? (chunk ? fieldText(chunk, row, stored, shape.wordBytes) : null)
  return `${text} ${cell(noteText(state, session, field, link ? link.target : stored), shape.noteWidth)}`
}

/** At most `page` rows of the dump from the top of the screen on. */
export function dumpRows(state: TuiState, session: Session, page: number, paint: Paint): string[] {
  const { columns } = state.size
  const shape = shapeFor(state.memory.view, columns, session.wordBytes)
  const rows = rowsFrom(session, state.memory.top, page, shape.bytes)
  const found = stretches(rows, session, shape.bytes)
  const drawing = { state, session, shape, paint }
  let index = 0
  return rows.map((row) => {
    if (row.kind === 'hole') return holeRow(row.from, row.to, columns, paint)
    if (!found[index]!.rows.includes(row.at)) index++
    return dataRow(row.at, found[index]!, drawing)
  })
}
