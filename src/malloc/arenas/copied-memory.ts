// A copy of an arena's heaps, made at once: its chunks can then be walked at leisure while the process goes on.
import { type Address, offset } from '../../memory/address.js'
import type { MemoryFault } from '../../memory/memory-fault.js'
import type { MemorySource } from '../../memory/memory-source.js'

/** A stretch of memory to copy. */
export interface Stretch {
  readonly address: Address
  readonly sizeBytes: number
}

/** Copied stretches, and live memory around them. */
export class CopiedMemory implements MemorySource {
  readonly #source: MemorySource
  readonly #copies: readonly { readonly start: Address; readonly bytes: Uint8Array }[]

  /** Copies the stretches now, into `room`, which must hold them all and is theirs from then on. */
  constructor(source: MemorySource, stretches: readonly Stretch[], room: Uint8Array) {
    this.#source = source
    let used = 0
    this.#copies = stretches.map(({ address: start, sizeBytes }) => {
      const into = room.subarray(used, used + sizeBytes)
      used += sizeBytes
      return { start, bytes: into.subarray(0, source.read(start, into)) }
    })
  }

  read(at: Address, into: Uint8Array): number {
    for (const { start, bytes } of this.#copies) {
      const from = Number(at - start)
      if (from < 0 || from >= bytes.length) continue
      const part = bytes.subarray(from, from + into.length)
      into.set(part)
      if (part.length === into.length) return part.length
      return part.length + this.#source.read(offset(at, part.length), into.subarray(part.length))
    }
    return this.#source.read(at, into)
  }

  fault(at: Address): MemoryFault {
    return this.#source.fault(at)
  }
}
