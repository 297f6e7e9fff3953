// Where bytes are in a session's memory: read in large blocks, with room for other work between them.
import type { Piece } from '../../maps/categorize.js'
import { type Address, offset } from '../../memory/address.js'
import { sizeOf } from '../../memory/region.js'
import type { Session } from '../../session/session.js'
import type { Work } from '../../views/dap/services.js'

const BLOCK_BYTES = 4 << 20

export interface FoundBytes {
  readonly at: readonly Address[]
  /** False: there are more than were wanted. */
  readonly isAll: boolean
}

/** Up to `limit` places of `needle`, each at a multiple of `align`. Memory that cannot be read is passed over. */
export async function findBytes(
  session: Session,
  needle: Buffer,
  align: number,
  limit: number,
  work: Work,
): Promise<FoundBytes> {
  const pieces = session.pieces.filter(({ region }) => region.permissions.read)
  const total = pieces.reduce((sum, piece) => sum + sizeOf(piece), 0)
  const found: Address[] = []
  let done = 0
  for (const { start, end } of joined(pieces)) {
    const length = Number(end - start)
    for (let from = 0; from < length; from += BLOCK_BYTES) {
      // A block reads on as far as a hit that begins in it can go.
      const wanted = Math.min(BLOCK_BYTES + needle.length - 1, length - from)
      const base = offset(start, from)
      for (const at of hitsIn(session, base, wanted, needle)) {
        if (at >= BLOCK_BYTES || (base + BigInt(at)) % BigInt(align) !== 0n) continue
        if (found.length === limit) return { at: found, isAll: false }
        found.push(offset(base, at))
      }
      done += Math.min(BLOCK_BYTES, length - from)
      work.tell(`searching, ${found.length} found`, (100 * done) / total)
      await work.breathe()
    }
  }
  return { at: found, isAll: true }
}

function* hitsIn(session: Session, start: Address, length: number, needle: Buffer): Generator<number> {
  const { bytes, known, fault } = session.read(start, length)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = buffer.indexOf(needle); at >= 0; at = buffer.indexOf(needle, at + 1)) {
    const unknown = fault === null ? -1 : known.subarray(at, at + needle.length).indexOf(0)
    if (unknown < 0) yield at
  }
}

// Pieces that touch are one stretch, so that a hit across their border is found.
function joined(pieces: readonly Piece[]): { start: Address; end: Address }[] {
  const stretches: { start: Address; end: Address }[] = []
  for (const { start, end } of pieces) {
    const last = stretches.at(-1)
    if (last && last.end === start) last.end = end
    else stretches.push({ start, end })
  }
  return stretches
}
