// One malloc_state as it stands in memory.
import { type Address, address } from '../../memory/address.js'
import { type MemorySource, readExactly } from '../../memory/memory-source.js'
import type { ArenaLayout, WordBytes } from '../layout.js'

export interface ArenaHeader {
  readonly flags: number
  readonly top: Address
  readonly next: Address
  /** Null before glibc 2.23. */
  readonly attachedThreads: number | null
  readonly systemBytes: number
  readonly maxSystemBytes: number
  /** The raw malloc_state, to see whether a live arena moved. */
  readonly bytes: Uint8Array
}

/** malloc_state.flags bit 1: the arena's memory is not one run (always set in non-main arenas). */
export const NONCONTIGUOUS = 2

/** Reads the malloc_state at `at`; throws MemoryFault. */
export function readArenaHeader(
  memory: MemorySource,
  at: Address,
  layout: ArenaLayout,
  word: WordBytes,
): ArenaHeader {
  const bytes = readExactly(memory, at, layout.sizeBytes)
  const view = new DataView(bytes.buffer)
  const wordAt = (offset: number): bigint =>
    word === 8 ? view.getBigUint64(offset, true) : BigInt(view.getUint32(offset, true))
  return {
    flags: view.getUint32(layout.flags, true),
    top: address(wordAt(layout.top)),
    next: address(wordAt(layout.next)),
    attachedThreads: layout.attachedThreads === null ? null : Number(wordAt(layout.attachedThreads)),
    systemBytes: Number(wordAt(layout.systemMem)),
    maxSystemBytes: Number(wordAt(layout.maxSystemMem)),
    bytes,
  }
}
