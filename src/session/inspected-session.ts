// What commands ask of a session besides what interactive views do, whatever it was opened from.
import type { Address } from '../memory/address.js'
import type { Frame } from '../target/target.js'
import type { Session } from './session.js'

/** One heap_info segment, or a piece of the main heap. */
export interface HeapRow {
  readonly arena: number
  readonly address: Address
  readonly sizeBytes: number
  readonly committedBytes: number
  readonly reservedBytes: number
}

/** A core, a live process, a process behind a gdb stub, a snapshot, or a saved report. */
export interface InspectedSession extends Session {
  /** In the order of arenas and their heaps; null where they are not told (a saved report). */
  heaps(): readonly HeapRow[] | null
  /** Stacks by tid, innermost frame first; empty where they are not at hand. */
  frames(depth: number): Promise<ReadonlyMap<number, readonly Frame[]>>
  /** Where variables of libc lie; those that are not known are absent. */
  addressesOf(names: readonly string[]): Promise<ReadonlyMap<string, Address>>
  /** Why symbols are missing; null where nothing is known to be. */
  readonly symbolsProblem: string | null
}
