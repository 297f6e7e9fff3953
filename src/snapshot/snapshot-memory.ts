// The memory that a snapshot holds, where it was made with --include-memory; unpacked block by block.
import { type Address, address, hex } from '../memory/address.js'
import { MemoryFault } from '../memory/memory-fault.js'
import type { MemorySource } from '../memory/memory-source.js'
import { type Region, regionAt } from '../memory/region.js'
import { DamagedRecord } from './damaged-snapshot.js'
import type { RecordPlace } from './record.js'
import { KIND } from './snapshot.js'
import type { SnapshotFile } from './snapshot-file.js'

interface Block {
  readonly start: Address
  readonly end: bigint
  readonly place: RecordPlace
}

/** Said of a snapshot that was made without. */
export const NO_MEMORY = 'the snapshot holds no memory (made without --include-memory)'
const KEPT = 4

export class SnapshotMemory implements MemorySource {
  readonly #blocks: readonly Block[]
  readonly #kept = new Map<Block, Uint8Array>()

  /** Throws DamagedRecord. */
  constructor(
    private readonly file: SnapshotFile,
    private readonly regions: readonly Region[],
    /** False: made without memory. */
    private readonly hasMemory: boolean,
  ) {
    this.#blocks = file
      .ofKind(KIND.memory)
      .map(blockOf)
      .sort((a, b) => (a.start < b.start ? -1 : 1))
  }

  read(start: Address, into: Uint8Array): number {
    let done = 0
    while (done < into.length) {
      const at = start + BigInt(done)
      const block = regionAt(this.#blocks as readonly (Block & { end: Address })[], at)
      const bytes = block && this.#bytes(block)
      if (!bytes) break
      const part = bytes.subarray(Number(at - block.start), Number(at - block.start) + into.length - done)
      if (part.length === 0) break
      into.set(part, done)
      done += part.length
    }
    return done
  }

  fault(at: Address): MemoryFault {
    if (!regionAt(this.regions, at)) return new MemoryFault(at, 'unmapped')
    return new SnapshotFault(at, this.hasMemory)
  }

  #bytes(block: Block): Uint8Array | null {
    const known = this.#kept.get(block)
    if (known) return known
    try {
      const bytes = this.file.content(block.place)
      const [oldest] = this.#kept.keys()
      if (oldest && this.#kept.size >= KEPT) this.#kept.delete(oldest)
      this.#kept.set(block, bytes)
      return bytes
    } catch (error) {
      if (error instanceof DamagedRecord) return null
      throw error
    }
  }
}

/** A byte that the snapshot does not hold. */
class SnapshotFault extends MemoryFault {
  override readonly message: string

  constructor(at: Address, hasMemory: boolean) {
    super(at, 'unsaved')
    this.message = hasMemory
      ? `${hex(at)} was not in memory, or not in the core, when the snapshot was made`
      : NO_MEMORY
  }
}

function blockOf(place: RecordPlace): Block {
  const { detail, position, unpackedBytes } = place
  if (detail.length < 8) throw new DamagedRecord(`its record at byte ${position} says too little of itself`)
  const start = new DataView(detail.buffer, detail.byteOffset, detail.length).getBigUint64(0, true)
  return { start: address(start), end: start + BigInt(unpackedBytes), place }
}
