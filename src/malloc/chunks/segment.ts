// One run of chunks as the linear walk wants it.
import type { Address } from '../../memory/address.js'

/** A run of chunks: [first, end) as offsets from `origin`, with `top` at an offset or −1 when it is elsewhere. */
export interface Segment {
  readonly origin: Address
  readonly first: number
  readonly end: number
  readonly top: number
  /** Of main_arena: a segment without top ends in two fenceposts, not at a heap's end. */
  readonly isMain: boolean
}
