// Where bytes occur in a target's memory: block by block, forwards or backwards, in steps that can be given up between.
import { type Address, address, offset } from './address.js'
import type { MemorySource } from './memory-source.js'

/** A stretch [start, end) that is searched; sorted, disjoint. */
export interface Span {
  readonly start: Address
  readonly end: Address
}

export interface SearchOptions {
  readonly bytes: Uint8Array
  /** Only occurrences at multiples of it count: a word's size for pointers, else 1. */
  readonly alignBytes: number
  /**
   * Forwards the search begins behind `from` and goes round to it; backwards before it. Null: once over everything,
   * from the lowest address (1) or the highest (-1).
   */
  readonly from: Address | null
  readonly direction: 1 | -1
  readonly pageBytes: number
}

/** One step: an occurrence, or null and only further. Bytes that cannot be read are passed over. */
export interface SearchStep {
  readonly at: Address | null
  /** 0 … 1 of what is to be searched. */
  readonly fraction: number
}

const BLOCK_BYTES = 1 << 20

/** Spans that touch are one: what is looked for can lie across mappings. */
export function joined(spans: readonly Span[]): Span[] {
  const out: Span[] = []
  for (const span of spans) {
    const last = out.at(-1)
    if (last && last.end === span.start) out[out.length - 1] = { start: last.start, end: span.end }
    else if (span.end > span.start) out.push(span)
  }
  return out
}

/** The parts of `spans` in the order in which the search goes through them: behind `from` first, then up to it. */
function inOrder(spans: readonly Span[], from: Address | null, direction: 1 | -1, length: number): Span[] {
  const whole = joined(spans)
  if (from === null) return direction === 1 ? whole : whole.reverse()
  // An occurrence begins in the part: its bytes may reach over the end of it.
  const cut = direction === 1 ? from + 1n : from
  const reach = BigInt(length - 1)
  const below: Span[] = []
  const above: Span[] = []
  for (const { start, end } of whole) {
    if (start < cut) below.push({ start, end: least(end, cut + reach) })
    if (end > cut) above.push({ start: (start > cut ? start : cut) as Address, end })
  }
  return direction === 1 ? [...above, ...below] : [...below.reverse(), ...above.reverse()]
}

function least(a: bigint, b: bigint): Address {
  return (a < b ? a : b) as Address
}

/** Every occurrence of `options.bytes` in `spans`, in the order of the search. */
export function* searchMemory(
  memory: MemorySource,
  spans: readonly Span[],
  options: SearchOptions,
): Generator<SearchStep> {
  const { bytes, direction } = options
  const parts = inOrder(spans, options.from, direction, bytes.length)
  const total = parts.reduce((sum, { start, end }) => sum + Number(end - start), 0)
  const block = new Uint8Array(BLOCK_BYTES + bytes.length - 1)
  let done = 0
  for (const part of parts) {
    for (const stretch of direction === 1 ? blocksUp(part) : blocksDown(part)) {
      // What begins in the block may end behind it, but not behind the part.
      const end = least(offset(stretch.end, bytes.length - 1), part.end)
      const room = block.subarray(0, Number(end - stretch.start))
      yield* occurrences(memory, stretch.start, room, options, (at) => ({ at, fraction: done / total }))
      done += Number(stretch.end - stretch.start)
      yield { at: null, fraction: done / total }
    }
  }
}

function* blocksUp({ start, end }: Span): Generator<Span> {
  for (let at = start; at < end; at = offset(at, BLOCK_BYTES))
    yield { start: at, end: least(end, at + BigInt(BLOCK_BYTES)) }
}

function* blocksDown({ start, end }: Span): Generator<Span> {
  for (let at = end; at > start; ) {
    const from = at - start > BigInt(BLOCK_BYTES) ? address(at - BigInt(BLOCK_BYTES)) : start
    yield { start: from, end: at }
    at = from
  }
}

/** The occurrences in the bytes of [start, start + room.length) that can be read. */
function* occurrences(
  memory: MemorySource,
  start: Address,
  room: Uint8Array,
  { bytes, alignBytes, direction, pageBytes }: SearchOptions,
  step: (at: Address) => SearchStep,
): Generator<SearchStep> {
  const runs: { readonly from: number; readonly to: number }[] = []
  for (let at = 0; at < room.length; ) {
    const got = memory.read(offset(start, at), room.subarray(at))
    if (got > 0) runs.push({ from: at, to: at + got })
    at += got
    if (at < room.length) at += pageBytes - Number(offset(start, at) & BigInt(pageBytes - 1))
  }
  for (const { from, to } of direction === 1 ? runs : runs.reverse()) {
    const known = Buffer.from(room.buffer, room.byteOffset + from, to - from)
    for (const found of direction === 1 ? placesUp(known, bytes) : placesDown(known, bytes)) {
      const at = offset(start, from + found)
      if (at % BigInt(alignBytes) === 0n) yield step(at)
    }
  }
}

function* placesUp(bytes: Buffer, wanted: Uint8Array): Generator<number> {
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) yield at
}

function* placesDown(bytes: Buffer, wanted: Uint8Array): Generator<number> {
  for (let at = bytes.lastIndexOf(wanted); at >= 0; at = bytes.lastIndexOf(wanted, at - 1)) {
    yield at
    if (at === 0) return
  }
}
