// Millions of chunks in columns: seven bytes each, appended batch by batch, read row by row.
import { type Address, address } from '../memory/address.js'
import { HIGH_HALF, halvesOf, LOW_HALF } from '../memory/word-halves.js'
import type { ChunkBatch } from './session.js'

const BLOCK_ROWS = 1 << 16
/** Chunks begin at multiples of it on every machine, and their sizes are multiples of it. */
const UNIT = 8
/** Offsets that do not fit 32 bits of units begin another run. */
const MOST_UNITS = 0xffff_ffff
/** Stands for all sizes from 512 KiB on: they are few, and kept apart. */
export const LARGE = 0xffff

/** Rows from `first` on up to the next run's lie at `base` or behind it, in rising order, in one arena. */
export interface Run {
  readonly first: number
  readonly base: bigint
  /** −1: mmapped chunks, which belong to none. */
  readonly arena: number
}

interface Block {
  readonly offsets: Uint32Array
  readonly sizes: Uint16Array
  readonly states: Uint8Array
}

/** Chunks in the order in which they were appended: by arena and address. */
export class ChunkTable {
  readonly #blocks: Block[] = []
  readonly #runs: Run[] = []
  readonly #large = new Map<number, number>()
  #count = 0
  /** From the base of the last run. */
  #last = -1

  get count(): number {
    return this.#count
  }

  get runs(): readonly Run[] {
    return this.#runs
  }

  append(batch: ChunkBatch): void {
    // Halves of the addresses: their differences are exact without a BigInt per chunk.
    const halves = halvesOf(batch.addresses)
    let run = this.#runs.at(-1)
    let low = run ? Number(run.base & 0xffff_ffffn) : 0
    let high = run ? Number(run.base >> 32n) : 0
    for (let at = 0; at < batch.count; at++) {
      const lowHalf = halves[2 * at + LOW_HALF]!
      const highHalf = halves[2 * at + HIGH_HALF]!
      let away = (highHalf - high) * 0x1_0000_0000 + (lowHalf - low)
      const goesOn =
        run?.arena === batch.arenas[at] && away > this.#last && away % UNIT === 0 && away / UNIT <= MOST_UNITS
      if (!goesOn) {
        run = { first: this.#count, base: batch.addresses[at]!, arena: batch.arenas[at]! }
        this.#runs.push(run)
        low = lowHalf
        high = highHalf
        away = 0
      }
      this.#last = away
      this.#add(away / UNIT, batch.sizes[at]!, batch.states[at]!)
    }
  }

  address(row: number): Address {
    const run = this.#runs[this.#runOf(row)]!
    return address(run.base + BigInt(this.#block(row).offsets[row & (BLOCK_ROWS - 1)]!) * BigInt(UNIT))
  }

  /** Bytes, header included. */
  size(row: number): number {
    const units = this.sizeUnits(row)
    return units === LARGE ? this.#large.get(row)! : units * UNIT
  }

  /** Bytes / 8, at most LARGE: what is sorted by first. */
  sizeUnits(row: number): number {
    return this.#block(row).sizes[row & (BLOCK_ROWS - 1)]!
  }

  /** Index into CHUNK_STATES. */
  state(row: number): number {
    return this.#block(row).states[row & (BLOCK_ROWS - 1)]!
  }

  arena(row: number): number {
    return this.#runs[this.#runOf(row)]!.arena
  }

  /** The row of the chunk that holds `at`, or null. */
  rowHolding(at: bigint): number | null {
    for (const [index, run] of this.#runs.entries()) {
      if (at < run.base) continue
      let low = run.first
      let high = (this.#runs[index + 1]?.first ?? this.#count) - 1
      while (low < high) {
        const middle = (low + high + 1) >> 1
        if (this.address(middle) <= at) low = middle
        else high = middle - 1
      }
      if (low <= high && at < this.address(low) + BigInt(this.size(low))) return low
    }
    return null
  }

  #add(offset: number, sizeBytes: number, state: number): void {
    const at = this.#count & (BLOCK_ROWS - 1)
    if (at === 0) {
      this.#blocks.push({
        offsets: new Uint32Array(BLOCK_ROWS),
        sizes: new Uint16Array(BLOCK_ROWS),
        states: new Uint8Array(BLOCK_ROWS),
      })
    }
    const block = this.#blocks.at(-1)!
    const units = sizeBytes / UNIT
    block.offsets[at] = offset
    block.sizes[at] = Math.min(units, LARGE)
    block.states[at] = state
    if (units >= LARGE) this.#large.set(this.#count, sizeBytes)
    this.#count++
  }

  #block(row: number): Block {
    return this.#blocks[Math.floor(row / BLOCK_ROWS)]!
  }

  #runOf(row: number): number {
    let low = 0
    let high = this.#runs.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#runs[middle]!.first <= row) low = middle
      else high = middle - 1
    }
    return low
  }
}
