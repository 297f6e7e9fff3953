// What a walk adds up over the segments of one arena.
import type { PageTally } from './page-tally.js'
import { SizeHistogram } from './size-classes.js'

/** Sums over the chunks of an arena as the linear walk tells them apart, without the free lists' knowledge. */
export class Tally {
  /** In use by PREV_INUSE of the next chunk: live, tcache and fastbin chunks. */
  readonly used = new SizeHistogram()
  usedChunks = 0
  usedBytes = 0
  /** Chunks in bins. */
  readonly free = new SizeHistogram()
  freeChunks = 0
  freeBytes = 0
  largestFreeBytes = 0
  /** top's size, once the walk met it. */
  topBytes = 0
  /** Fenceposts, and what is left behind the last one of a segment. */
  fenceBytes = 0
  /** Chunks in use of the size `watchedBytes`, by address: where a tcache_perthread_struct may be. */
  readonly watched: bigint[] = []

  /** `pages` null: residency is not asked for. */
  constructor(
    readonly watchedBytes: ReadonlySet<number> = new Set(),
    readonly pages: PageTally | null = null,
  ) {}
}

/** More structs than threads that anyone runs; a heap full of chunks of that size holds something else. */
export const MOST_WATCHED = 100_000
