// What is at an address, and what is mapped next to it: the same words for every kind of session.
import { countText } from '../format/sizes.js'
import type { Piece } from '../maps/categorize.js'
import { type Address, hex, offset } from '../memory/address.js'
import { permissionText, type Region, regionAt } from '../memory/region.js'
import type { Frame } from '../target/target.js'
import type { ChunkMark, Description } from './session.js'

/** One malloc_state. */
export interface ArenaState {
  readonly index: number
  readonly address: Address
  readonly bytes: number
}

/** `chunk`: a sentence about the one that holds `at`, where one does. */
export function describePlace(
  at: Address,
  pieces: readonly Piece[],
  chunk: string | null,
  mmapped: readonly { readonly address: Address; readonly bytes: number }[],
  states: readonly ArenaState[],
): Description {
  const piece = regionAt(pieces, at)
  if (!piece) return { lines: [`${hex(at)} is not mapped`], regionStart: null }
  const lines: string[] = []
  if (chunk !== null) lines.push(chunk)
  const holds = ({ address, bytes }: { readonly address: Address; readonly bytes: number }) =>
    at >= address && at < address + BigInt(bytes)
  const own = mmapped.find(holds)
  if (own) lines.push(`mmapped chunk ${hex(own.address)}, ${countText(own.bytes)} bytes`)
  const state = states.find(holds)
  if (state) lines.push(`malloc_state of arena ${state.index}, ${hex(state.address)}`)
  const { region } = piece
  const name = region.path === null ? 'anonymous memory' : region.path
  const place = region.path?.startsWith('/') ? ` + ${hex(at - region.start + region.fileOffset)}` : ''
  lines.push(`${piece.category}: ${name}${place} ${permissionText(region.permissions)}`)
  return { lines, regionStart: region.start }
}

/** What is known of a chunk without its links and its bin. */
export function markText({ address, sizeBytes, state, arenaIndex }: ChunkMark, at: Address): string {
  const where = `arena ${arenaIndex}`
  const inside = at === address ? '' : ` + ${hex(at - address)}`
  if (state === 'arena') return `heap header of ${where}, ${hex(address)}${inside}`
  return `chunk ${hex(address)}${inside} of ${where}, ${countText(sizeBytes)} bytes, ${state}`
}

/** As Session's nextMapped; `regions` sorted by start. */
export function nextMapped(regions: readonly Region[], at: Address, direction: 1 | -1): Address | null {
  if (regionAt(regions, at)) return at
  if (direction === 1) return regions.find((region) => region.start > at)?.start ?? null
  const below = regions.findLast((region) => region.end <= at)
  return below ? offset(below.end, -1) : null
}

/** Frames as their functions' names, or `0x…`. */
export function stackNames(
  frames: ReadonlyMap<number, readonly Frame[]>,
): ReadonlyMap<number, readonly string[]> {
  return new Map(
    [...frames].map(([tid, stack]) => [tid, stack.map(({ functionName, pc }) => functionName ?? hex(pc))]),
  )
}
