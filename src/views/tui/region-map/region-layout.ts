// The address space in cells of equal size; a hole of a cell or more is one cell, a smaller one lies inside a cell.
import { CATEGORIES, type Category } from '../../../maps/categories.js'
import type { Piece } from '../../../maps/categorize.js'
import { sizeOf } from '../../../memory/region.js'

/** One page: a finer cell would hold nothing else. */
export const LEAST_CELL_BYTES = 4096
/** Cells that are remembered of one layout; a few screens. */
const MOST_KNOWN = 1 << 16

export interface RegionCell {
  /** [start, end) without what of the last cell before a hole is not mapped. */
  readonly start: number
  readonly end: number
  /** The largest by bytes in RAM, where they are known of all, else by address space; null: a hole. */
  readonly category: Category | null
  /** The largest of that category, and how many have a part in the cell. */
  readonly piece: Piece | null
  readonly pieces: number
}

/** Starts and ends as numbers: mappings begin and end at pages, which a double holds exactly. */
interface Bounds {
  readonly starts: Float64Array
  readonly ends: Float64Array
  readonly mappedBytes: number
}

const boundsOf = remembered(
  (pieces): Bounds => ({
    starts: Float64Array.from(pieces, ({ start }) => Number(start)),
    ends: Float64Array.from(pieces, ({ end }) => Number(end)),
    mappedBytes: pieces.reduce((sum, piece) => sum + sizeOf(piece), 0),
  }),
)
const layoutsOf = remembered(() => new Map<number, RegionLayout>())
const fitsOf = remembered(() => new Map<number, number>())

/** `make(pieces)`, once for as long as the same pieces are looked at. */
function remembered<Value>(make: (pieces: readonly Piece[]) => Value): (pieces: readonly Piece[]) => Value {
  const known = new WeakMap<readonly Piece[], Value>()
  return (pieces) => {
    const value = known.get(pieces) ?? make(pieces)
    known.set(pieces, value)
    return value
  }
}

/** The index of the first of `sorted` that is above `value`. */
function firstAbove(sorted: ArrayLike<number>, value: number): number {
  let low = 0
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >> 1
    if (sorted[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}

function countCells({ starts, ends }: Bounds, cellBytes: number): number {
  let cells = 0
  let start = starts[0] ?? 0
  for (let i = 0; i < starts.length; i++) {
    const next = starts[i + 1]
    if (next !== undefined && next - ends[i]! < cellBytes) continue
    cells += Math.ceil((ends[i]! - start) / cellBytes) + (next === undefined ? 0 : 1)
    start = next ?? 0
  }
  return cells
}

/** The least bytes of a cell with which all of `pieces` takes at most `most` cells. */
export function fittingCellBytes(pieces: readonly Piece[], most: number): number {
  const known = fitsOf(pieces)
  let cellBytes = known.get(most)
  if (cellBytes !== undefined) return cellBytes
  cellBytes = LEAST_CELL_BYTES
  while (cellBytes < 2 ** 62 && countCells(boundsOf(pieces), cellBytes) > most) cellBytes *= 2
  known.set(most, cellBytes)
  return cellBytes
}

/** The layout of `pieces` in cells of `cellBytes`, made once. */
export function regionLayout(pieces: readonly Piece[], cellBytes: number): RegionLayout {
  const known = layoutsOf(pieces)
  const layout = known.get(cellBytes) ?? new RegionLayout(pieces, boundsOf(pieces), cellBytes)
  known.set(cellBytes, layout)
  return layout
}

/** Spans in address order: runs of cells at even indexes, the holes between them at odd ones. */
export class RegionLayout {
  readonly cells: number
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #firstCells: number[] = []
  readonly #known = new Map<number, RegionCell>()

  constructor(
    readonly pieces: readonly Piece[],
    readonly bounds: Bounds,
    readonly cellBytes: number,
  ) {
    const { starts, ends } = bounds
    let cells = 0
    const span = (start: number, end: number, many: number) => {
      this.#starts.push(start)
      this.#ends.push(end)
      this.#firstCells.push(cells)
      cells += many
    }
    let start = starts[0] ?? 0
    for (let i = 0; i < starts.length; i++) {
      const end = ends[i]!
      const next = starts[i + 1]
      if (next !== undefined && next - end < cellBytes) continue
      span(start, end, Math.ceil((end - start) / cellBytes))
      if (next !== undefined) span(end, next, 1)
      start = next ?? 0
    }
    this.cells = cells
  }

  /** The cell that holds `at`, or the nearest. */
  cellOf(at: number): number {
    const span = Math.max(0, firstAbove(this.#starts, at) - 1)
    const first = this.#firstCells[span] ?? 0
    if (span % 2 === 1) return first
    const within = Math.floor((at - this.#starts[span]!) / this.cellBytes)
    return Math.max(0, Math.min(first + within, (this.#firstCells[span + 1] ?? this.cells) - 1))
  }

  /** Cell `index`, from 0. */
  cell(index: number): RegionCell {
    const known = this.#known.get(index)
    if (known) return known
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    const cell = this.#make(index)
    this.#known.set(index, cell)
    return cell
  }

  #make(index: number): RegionCell {
    const span = firstAbove(this.#firstCells, index) - 1
    const spanStart = this.#starts[span]!
    const spanEnd = this.#ends[span]!
    if (span % 2 === 1) return { start: spanStart, end: spanEnd, category: null, piece: null, pieces: 0 }
    const start = spanStart + (index - this.#firstCells[span]!) * this.cellBytes
    const end = Math.min(spanEnd, start + this.cellBytes)
    return { start, end, ...this.#largest(start, end) }
  }

  #largest(start: number, end: number): Pick<RegionCell, 'category' | 'piece' | 'pieces'> {
    const { starts, ends } = this.bounds
    const first = firstAbove(ends, start)
    const last = firstAbove(starts, end - 1)
    let isKnown = true
    const space = new Map<Category, number>()
    const inRam = new Map<Category, number>()
    for (let i = first; i < last; i++) {
      const { category, residentBytes } = this.pieces[i]!
      const part = Math.min(end, ends[i]!) - Math.max(start, starts[i]!)
      // Which pages of a piece are in RAM is not known here: its share is what an even spread would be.
      const share = ((residentBytes ?? 0) * part) / (ends[i]! - starts[i]!)
      if (residentBytes === null) isKnown = false
      space.set(category, (space.get(category) ?? 0) + part)
      inRam.set(category, (inRam.get(category) ?? 0) + share)
    }
    const weights = isKnown && [...inRam.values()].some((bytes) => bytes > 0) ? inRam : space
    const category = CATEGORIES.reduce((most, each) =>
      (weights.get(each) ?? 0) > (weights.get(most) ?? 0) ? each : most,
    )
    let piece: Piece | null = null
    let most = -1
    for (let i = first; i < last; i++) {
      const part = Math.min(end, ends[i]!) - Math.max(start, starts[i]!)
      if (this.pieces[i]!.category !== category || part <= most) continue
      piece = this.pieces[i]!
      most = part
    }
    return { category: piece ? category : null, piece, pieces: last - first }
  }
}
