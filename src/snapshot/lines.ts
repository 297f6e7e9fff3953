// The lines of a snapshot's records back as what they stand for; each field is checked, as anybody can write a file.
import { CATEGORIES, type Category } from '../maps/categories.js'
import type { Piece } from '../maps/categorize.js'
import { type Address, address } from '../memory/address.js'
import type { Region } from '../memory/region.js'
import type { Frame } from '../target/target.js'
import { DamagedRecord } from './damaged-snapshot.js'

/** A variable of libc. */
export interface Variable {
  readonly name: string
  readonly address: Address
  readonly bytes: number
}

export interface SnapshotHeap {
  readonly address: Address
  readonly sizeBytes: number
  readonly committedBytes: number
  readonly reservedBytes: number
  readonly headerBytes: number | null
}

export interface SnapshotArena {
  readonly index: number
  readonly address: Address
  readonly bytes: number
  readonly heaps: readonly SnapshotHeap[]
}

type Fields = Readonly<Record<string, unknown>>

/** Each line of a record, parsed. Throws DamagedRecord. */
export function* linesOf(content: Buffer): Generator<Fields> {
  for (let from = 0; from < content.length; ) {
    const end = content.indexOf(10, from)
    const to = end < 0 ? content.length : end
    yield fields(parsed(content.toString('utf8', from, to)))
    from = to + 1
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw new DamagedRecord('a line of it is no JSON')
    throw error
  }
}

/** The pieces of one region, which tile it. `from`: the end of the region before. Throws DamagedRecord. */
export function piecesOf(line: Fields, from: bigint): readonly Piece[] {
  const region: Region = {
    start: addressOf(line.start),
    end: addressOf(line.end),
    permissions: permissionsOf(line.permissions),
    fileOffset: addressOf(line.fileOffset),
    path: textOrNull(line.path),
  }
  if (region.start < from || region.end <= region.start)
    throw new DamagedRecord('its mappings are out of order')
  let start = region.start
  const pieces = list(line.pieces).map((value): Piece => {
    const one = fields(value)
    const piece = {
      start,
      end: addressOf(one.end),
      category: categoryOf(one.category),
      region,
      residentBytes: one.residentBytes === null ? null : count(one.residentBytes),
    }
    if (piece.end <= start) throw new DamagedRecord('pieces of a mapping are out of order')
    start = piece.end
    return piece
  })
  if (start !== region.end) throw new DamagedRecord('the pieces of a mapping are not all of it')
  return pieces
}

/** Throws DamagedRecord. */
export function variableOf(line: Fields): Variable {
  if (typeof line.variable !== 'string' || !/^\w{1,64}$/.test(line.variable))
    throw new DamagedRecord('it names a variable that no C program has')
  return { name: line.variable, address: addressOf(line.address), bytes: count(line.bytes) }
}

/** Throws DamagedRecord. */
export function arenaOf(line: Fields): SnapshotArena {
  return {
    index: count(line.arena),
    address: addressOf(line.address),
    bytes: count(line.bytes),
    heaps: list(line.heaps).map((value) => {
      const heap = fields(value)
      return {
        address: addressOf(heap.address),
        sizeBytes: count(heap.sizeBytes),
        committedBytes: count(heap.committedBytes),
        reservedBytes: count(heap.reservedBytes),
        headerBytes: heap.headerBytes === null ? null : count(heap.headerBytes),
      }
    }),
  }
}

/** Throws DamagedRecord. */
export function stackOf(line: Fields): readonly [tid: number, frames: readonly Frame[]] {
  const frames = list(line.frames).map((value): Frame => {
    const { pc, functionName, source } = fields(value)
    return { pc: addressOf(pc), functionName: textOrNull(functionName), source: textOrNull(source) }
  })
  return [count(line.tid), frames]
}

const KNOWN = new Set<string>(CATEGORIES)

// One of a later version is shown by its name.
function categoryOf(value: unknown): Category {
  if (typeof value !== 'string' || (!KNOWN.has(value) && !/^[ -~]{1,60}$/.test(value)))
    throw new DamagedRecord('a piece of a mapping has no category')
  return value as Category
}

function permissionsOf(value: unknown): Region['permissions'] {
  const found = typeof value === 'string' ? /^([r-])([w-])([x-])([sp])$/.exec(value) : null
  if (!found) throw new DamagedRecord('a mapping has no permissions')
  const [, read, write, execute, shared] = found
  return { read: read === 'r', write: write === 'w', execute: execute === 'x', shared: shared === 's' }
}

function addressOf(value: unknown): Address {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(value))
    throw new DamagedRecord('an address in it is none')
  return address(BigInt(value))
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new DamagedRecord('a number in it is none')
  return value
}

function textOrNull(value: unknown): string | null {
  if (value !== null && typeof value !== 'string') throw new DamagedRecord('a text in it is none')
  return value
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new DamagedRecord('a list in it is none')
  return value
}

function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new DamagedRecord('a line of it has no fields')
  return value as Fields
}
