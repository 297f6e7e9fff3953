// The calls of one stack, added up while they come.
import type { Owner } from './mapped-ranges.js'
import type { TraceGroup, TraceSum } from './trace.js'
import type { MapEvent } from './trace-event.js'

/** Thread names that are told apart in one group. */
const MOST_NAMES = 100

/** One call's memory, for as long as any of it is mapped. */
export interface CallOwner extends Owner {
  /** It is not known whether it is still mapped. */
  readonly untracked: () => void
}

export class GroupTally {
  calls = 0
  bytes = 0
  stillMappedCalls = 0
  stillMappedBytes = 0
  untrackedCalls = 0
  untrackedBytes = 0
  arenas = 0
  heaps = 0
  readonly #byCall = { mmap: 0, mremap: 0, brk: 0 }
  readonly #threads = new Map<string | null, { calls: number; bytes: number }>()
  #firstAtMs = Number.POSITIVE_INFINITY
  #lastAtMs = Number.NEGATIVE_INFINITY

  constructor(
    readonly kind: 'map' | 'birth',
    readonly stack: number | null,
    readonly other: boolean,
  ) {}

  add(event: MapEvent): CallOwner {
    this.calls++
    this.bytes += event.bytes
    this.#byCall[event.call]++
    if (event.mallocBirth !== null) this.heaps++
    if (event.mallocBirth === 'arena') this.arenas++
    this.#firstAtMs = Math.min(this.#firstAtMs, event.atMs)
    this.#lastAtMs = Math.max(this.#lastAtMs, event.atMs)
    const known = this.#threads.has(event.threadName) || this.#threads.size < MOST_NAMES
    const name = known ? event.threadName : null
    const thread = this.#threads.get(name) ?? { calls: 0, bytes: 0 }
    this.#threads.set(name, thread)
    thread.calls++
    thread.bytes += event.bytes
    let mapped = 0
    return {
      changed: (bytes) => {
        if (mapped === 0) this.stillMappedCalls++
        mapped += bytes
        this.stillMappedBytes += bytes
        if (mapped === 0) this.stillMappedCalls--
      },
      untracked: () => {
        this.untrackedCalls++
        this.untrackedBytes += event.bytes
      },
    }
  }

  toGroup(): TraceGroup {
    const threads = [...this.#threads].map(([name, { calls, bytes }]) => ({ name, calls, bytes }))
    return {
      kind: this.kind,
      stack: this.stack,
      other: this.other,
      ...sumOf([this]),
      mmapCalls: this.#byCall.mmap,
      mremapCalls: this.#byCall.mremap,
      brkCalls: this.#byCall.brk,
      arenas: this.arenas,
      heaps: this.heaps,
      firstAtMs: this.#firstAtMs,
      lastAtMs: this.#lastAtMs,
      threads: threads.sort((a, b) => b.bytes - a.bytes),
    }
  }
}

/** The sums of `groups` together. */
export function sumOf(groups: readonly TraceSum[]): TraceSum {
  const sum = (name: keyof TraceSum) => groups.reduce((total, group) => total + group[name], 0)
  return {
    calls: sum('calls'),
    bytes: sum('bytes'),
    stillMappedCalls: sum('stillMappedCalls'),
    stillMappedBytes: sum('stillMappedBytes'),
    untrackedCalls: sum('untrackedCalls'),
    untrackedBytes: sum('untrackedBytes'),
  }
}
