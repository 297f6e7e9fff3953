// Absent memory, as data: walkers catch it, note it and go on.
import { type Address, hex } from './address.js'

/**
 * Why a byte cannot be read. `unmapped`: no region holds it. `unsaved`: it was mapped, but the core file does
 * not hold it (coredump_filter, a truncated file, or a mapped file that is not at hand). `io`: the read failed.
 */
export type FaultKind = 'unmapped' | 'unsaved' | 'io'

const SAYS: Record<FaultKind, string> = {
  unmapped: 'not mapped',
  unsaved: 'not saved in the core file',
  io: 'could not be read',
}

/** The byte at `address` cannot be read; `kind` says why. */
export class MemoryFault extends Error {
  override readonly name = 'MemoryFault'
  constructor(
    readonly address: Address,
    readonly kind: FaultKind,
    detail?: string,
  ) {
    super(`${hex(address)} ${SAYS[kind]}${detail ? ` (${detail})` : ''}`)
  }
}
