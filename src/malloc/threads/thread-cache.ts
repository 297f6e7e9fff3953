// What each thread keeps for itself of malloc: its arena and its tcache.
import type { Address } from '../../memory/address.js'

/** One size class of a tcache that holds chunks. */
export interface CacheBin {
  readonly index: number
  readonly chunks: number
  /** Sum of the chunk sizes, headers included. */
  readonly bytes: number
}

/** One tcache_perthread_struct. */
export interface ThreadCache {
  /** Of the struct: user memory of its own chunk. */
  readonly address: Address
  /** Its owner; null when it was found by its content alone. */
  readonly tid: number | null
  /** Only bins that hold chunks. */
  readonly bins: readonly CacheBin[]
  /** Addresses of the cached chunks (chunk headers, as the heap walk has them), in no order; columns, not objects. */
  readonly chunks: BigUint64Array
  /** Sizes of the same chunks, headers included. */
  readonly sizes: Float64Array
  /** False when a list was broken: the figures are lower bounds. */
  readonly complete: boolean
}

/** What malloc has for one thread; null where it could not be known. */
export interface ThreadMalloc {
  readonly tid: number
  readonly name: string | null
  readonly threadPointer: Address | null
  /** The arena its TLS variable thread_arena names; null when unknown, or when it has none yet. */
  readonly arena: Address | null
  readonly cache: ThreadCache | null
}
