// The address space as rows on a screen: aligned rows of mapped memory, and one row for each hole between them.
import { type Address, address, offset } from '../../memory/address.js'
import type { Session } from '../../session/session.js'
import type { MemoryState } from './tui-state.js'

/** A row of memory, or a hole [from, to) in which nothing is mapped. */
export type MemoryRow =
  | { readonly kind: 'data'; readonly at: Address }
  | { readonly kind: 'hole'; readonly from: Address; readonly to: Address }

const END = 1n << 64n

/** What the walks need of a session. */
export type Mapped = Pick<Session, 'nextMapped'>

/** The start of the row of `bytes` (a power of two) that holds `at`. */
export function rowStart(at: bigint, bytes: number): Address {
  return address(at & ~BigInt(bytes - 1))
}

/** True when the byte at `at` is mapped. */
export function isMapped(session: Mapped, at: bigint): boolean {
  return at >= 0n && at < END && session.nextMapped(address(at), 1) === at
}

/** The row after the one at `row`, holes skipped; null at the end of the address space. */
export function rowAfter(session: Mapped, row: Address, bytes: number): Address | null {
  const next = row + BigInt(bytes)
  const mapped = next < END ? session.nextMapped(address(next), 1) : null
  return mapped === null ? null : rowStart(mapped, bytes)
}

/** The row before the one at `row`, holes skipped; null at the start. */
export function rowBefore(session: Mapped, row: Address, bytes: number): Address | null {
  const mapped = row > 0n ? session.nextMapped(address(row - 1n), -1) : null
  return mapped === null ? null : rowStart(mapped, bytes)
}

/** At most `count` rows from the one that holds `top` on. Empty when nothing is mapped from there. */
export function rowsFrom(session: Mapped, top: Address, count: number, bytes: number): MemoryRow[] {
  const rows: MemoryRow[] = []
  const first = session.nextMapped(rowStart(top, bytes), 1)
  let at = first === null ? null : rowStart(first, bytes)
  while (at !== null && rows.length < count) {
    rows.push({ kind: 'data', at })
    const next = rowAfter(session, at, bytes)
    const from = offset(at, bytes)
    if (next !== null && next !== from && rows.length < count) rows.push({ kind: 'hole', from, to: next })
    at = next
  }
  return rows
}

/** `memory` with its cursor `lines` rows further (back when negative), stopping at the ends. */
export function moveLines(
  session: Mapped,
  memory: MemoryState,
  lines: number,
  bytes: number,
  wordBytes: number,
): MemoryState {
  let row = rowStart(memory.cursor, bytes)
  const column = memory.cursor - row
  const step = lines < 0 ? rowBefore : rowAfter
  for (let left = Math.abs(lines); left > 0; left--) {
    const next = step(session, row, bytes)
    if (next === null) break
    row = next
  }
  return { ...memory, cursor: rowStart(row + column, wordBytes) }
}

/** The first row to show so that the cursor is on a screen of `count` rows, moving as little as can be. */
export function topFor(session: Mapped, memory: MemoryState, count: number, bytes: number): Address {
  const target = rowStart(memory.cursor, bytes)
  if (target < memory.top) return target
  const shown = rowsFrom(session, memory.top, count, bytes)
  if (shown.some((row) => row.kind === 'data' && row.at === target)) return rowStart(memory.top, bytes)
  return topWithLast(session, target, count, bytes)
}

/** The first row of a screen of `count` rows that ends with `last`. */
export function topWithLast(session: Mapped, last: Address, count: number, bytes: number): Address {
  let top = last
  for (let used = 1; used < count; ) {
    const before = rowBefore(session, top, bytes)
    if (before === null) break
    used += offset(before, bytes) === top ? 1 : 2
    if (used > count) break
    top = before
  }
  return top
}
