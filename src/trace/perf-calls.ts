// System calls out of perf's samples: each beginning with its return, in the order in which they took effect.
import { address } from '../memory/address.js'
import type { PerfSample } from './perf-script.js'
import type { MapEvent, TraceEvent, TraceStack } from './trace-event.js'

const MAP_FIXED = 0x10n
const MAP_NORESERVE = 0x4000n
/** The smallest HEAP_MAX_SIZE, of 32 bits. */
export const LEAST_HEAP_BYTES = 1 << 20
/** Results from here on are errors. */
const FIRST_ERROR = 0xffff_ffff_ffff_f000n
/** The samples of one beginning are taken one after the other; a virtual machine may stand still between them. */
const TWIN_MS = 1000
/** A call that has not returned for so long has done so unseen. */
const SLOT_MS = 5000

export interface PerfCallsOptions {
  readonly pageBytes: number
  readonly minimumBytes: number
  /** The samples' clock + this = milliseconds since 1970. */
  readonly clockOffsetMs: () => number
  readonly stackOf: (sample: PerfSample) => TraceStack | null
  /** `mayBeHeap`: as malloc reserves its heaps. */
  readonly onEvent: (event: TraceEvent, mayBeHeap: boolean) => void
}

/** A call that has begun. Its beginning is sampled twice: bare, and with its stack, which takes 64 KiB and is lost first. */
interface Begun {
  readonly call: 'mmap' | 'mremap' | 'brk'
  readonly sample: PerfSample
  hasBare: boolean
  stack: TraceStack | null
  hasStack: boolean
  /** Its place in the order, for calls that take effect on memory at their beginning. */
  readonly slot: Slot | null
  /** Samples that perf had lost by then. */
  readonly lostBefore: number
}

interface Told {
  readonly event: TraceEvent
  readonly mayBeHeap: boolean
}

interface Slot {
  readonly atMs: number
  events: Told[] | null
}

/** Samples of one process, in the order of time. */
export class PerfCalls {
  readonly #options: PerfCallsOptions
  /** brk to here or beyond is sampled with its stack too. */
  brkStacksFrom = 0n
  readonly #begun = new Map<number, Begun>()
  #heapEnd: bigint | null = null
  #knownSinceMs = 0
  #order: Slot[] = []
  #lost = 0
  #lostInAll = 0

  constructor(options: PerfCallsOptions) {
    this.#options = options
  }

  /** End of the main heap at `atMs` of the samples' clock: what it does from then on is told. */
  heapEndIs(end: bigint | null, atMs: number): void {
    this.#heapEnd = end
    this.#knownSinceMs = atMs
  }

  add(sample: PerfSample): void {
    const { event } = sample
    if (event === 'lost') {
      this.#lost += Number(sample.value)
      this.#lostInAll += Number(sample.value)
    } else if (event === 'sys_enter_munmap') this.#unmap(sample)
    else if (event.startsWith('sys_exit_execve')) this.#executed(sample)
    else if (event === 'sys_exit_brk') this.#movedHeapEnd(sample)
    else if (event === 'sys_exit_mmap' || event === 'sys_exit_mremap') this.#returned(sample)
    else if (event === 'sys_enter_mmap') this.#begins('mmap', sample)
    else if (event === 'sys_enter_mremap') this.#begins('mremap', sample)
    else if (event === 'sys_enter_brk') this.#begins('brk', sample)
    this.#send(sample.atMs)
  }

  /** Tells of losses that are known by now: not of stacks, whose calls are told without them. */
  tellLost(): void {
    if (this.#lost <= 0) return
    this.#options.onEvent({ kind: 'lost', atMs: Date.now(), count: this.#lost }, false)
    this.#lost = 0
  }

  /** There are no more samples: what has not returned is told as far as it is known. */
  end(): void {
    for (const begun of this.#begun.values()) this.#unseen(begun)
    this.#begun.clear()
    this.#send(Number.POSITIVE_INFINITY)
    this.tellLost()
  }

  #begins(call: Begun['call'], sample: PerfSample): void {
    const known = this.#begun.get(sample.tid)
    const isBare = sample.frames.length === 0 && sample.stackPointer === null
    const isSeen = known && (isBare ? known.hasBare : known.hasStack)
    // Where nothing was lost no thread begins again before its return: the same words again are told twice.
    if (known && isSame(known, call, sample) && (!isSeen || known.lostBefore === this.#lostInAll)) {
      if (isBare) known.hasBare = true
      else if (!isSeen) this.#takeStack(known, sample)
      return
    }
    if (known) this.#unseen(known)
    const slot = call === 'mremap' ? this.#slot(sample) : null
    const begun: Begun = {
      call,
      sample,
      hasBare: isBare,
      stack: null,
      hasStack: false,
      slot,
      lostBefore: this.#lostInAll,
    }
    if (!isBare) this.#takeStack(begun, sample)
    this.#begun.set(sample.tid, begun)
  }

  #takeStack(begun: Begun, sample: PerfSample): void {
    begun.hasStack = true
    begun.stack = this.#options.stackOf(sample)
  }

  #returned(sample: PerfSample): void {
    const begun = this.#begun.get(sample.tid)
    if (!begun || sample.event !== `sys_exit_${begun.call}` || sample.value === null) return
    this.#begun.delete(sample.tid)
    const failed = sample.value >= FIRST_ERROR
    if (begun.call === 'mmap') {
      if (!failed) this.#mapped(begun, sample)
    } else if (begun.slot) begun.slot.events = failed ? [] : this.#remapped(begun, sample)
  }

  /** Its return was lost, or is yet to come: it is taken to have succeeded, at a place nobody knows. */
  #unseen(begun: Begun): void {
    if (begun.slot) begun.slot.events = []
    if (begun.call !== 'mmap') return
    const bytes = this.#pages(begun.sample.fields.get('len') ?? 0n)
    if (bytes < this.#options.minimumBytes) return
    this.#put(this.#map(begun, begun.sample, null, bytes), false)
  }

  #mapped(begun: Begun, sample: PerfSample): void {
    const { fields } = begun.sample
    const flags = fields.get('flags') ?? 0n
    const bytes = this.#pages(fields.get('len') ?? 0n)
    const at = sample.value!
    const mayBeHeap = fields.get('prot') === 0n && (flags & MAP_NORESERVE) !== 0n
    if ((flags & MAP_FIXED) !== 0n) {
      this.#put({ kind: 'unmap', atMs: this.#ms(sample), address: address(at), bytes }, false)
    }
    if (bytes < this.#options.minimumBytes && !(mayBeHeap && bytes >= LEAST_HEAP_BYTES)) return
    this.#foundTwin(begun)
    this.#put(this.#map(begun, sample, at, bytes), mayBeHeap)
  }

  #remapped(begun: Begun, sample: PerfSample): Told[] {
    const { fields } = begun.sample
    const start = fields.get('addr') ?? 0n
    const at = sample.value!
    const [length, wanted] = [
      this.#pages(fields.get('old_len') ?? 0n),
      this.#pages(fields.get('new_len') ?? 0n),
    ]
    const common = Math.min(length, wanted)
    const atMs = this.#ms(sample)
    const events: TraceEvent[] = []
    const unmap = (from: bigint, bytes: number) =>
      events.push({ kind: 'unmap', atMs, address: address(from), bytes })
    if (at !== start) {
      unmap(at, wanted)
      if (common > 0)
        events.push({ kind: 'move', atMs, from: address(start), to: address(at), bytes: common })
    }
    if (wanted < length) unmap(start + BigInt(wanted), length - wanted)
    if (wanted - length >= this.#options.minimumBytes) {
      this.#foundTwin(begun)
      events.push(this.#map(begun, sample, at + BigInt(length), wanted - length))
    }
    return events.map((event) => ({ event, mayBeHeap: false }))
  }

  #movedHeapEnd(sample: PerfSample): void {
    const begun = this.#begun.get(sample.tid)
    if (begun?.call === 'brk') this.#begun.delete(sample.tid)
    if (sample.value === null || sample.atMs <= this.#knownSinceMs) return
    const before = this.#heapEnd
    const now = BigInt(this.#pages(sample.value))
    this.#heapEnd = now
    if (before === null || now === before) return
    if (now < before) {
      const bytes = Number(before - now)
      this.#put({ kind: 'unmap', atMs: this.#ms(sample), address: address(now), bytes }, false)
      return
    }
    const bytes = Number(now - before)
    if (bytes < this.#options.minimumBytes) return
    const { stack = null } = begun?.call === 'brk' ? begun : {}
    if (begun === undefined && now >= this.brkStacksFrom) this.#lost--
    this.#put(this.#map({ call: 'brk', stack }, sample, before, bytes), false)
  }

  #unmap(sample: PerfSample): void {
    const { fields } = sample
    const start = fields.get('addr')
    const bytes = this.#pages(fields.get('len') ?? 0n)
    // What the kernel refuses.
    if (start === undefined || bytes === 0 || start % BigInt(this.#options.pageBytes) !== 0n) return
    this.#put({ kind: 'unmap', atMs: this.#ms(sample), address: address(start), bytes }, false)
  }

  #executed(sample: PerfSample): void {
    if (sample.value !== 0n) return
    for (const { slot } of this.#begun.values()) if (slot) slot.events = []
    this.#begun.clear()
    this.#heapEnd = null
    this.#put({ kind: 'exec', atMs: this.#ms(sample) }, false)
  }

  /** One of the two samples of a beginning may be among what was lost. */
  #foundTwin({ hasBare, hasStack }: Begun): void {
    if (!hasBare) this.#lost--
    if (!hasStack) this.#lost--
  }

  #map(
    { call, stack }: Pick<Begun, 'call' | 'stack'>,
    sample: PerfSample,
    at: bigint | null,
    bytes: number,
  ): MapEvent {
    return {
      kind: 'map',
      call,
      atMs: this.#ms(sample),
      tid: sample.tid,
      threadName: sample.threadName,
      address: at === null ? null : address(at),
      bytes,
      mallocBirth: null,
      stack,
    }
  }

  #slot({ atMs }: PerfSample): Slot {
    const slot: Slot = { atMs, events: null }
    this.#order.push(slot)
    return slot
  }

  #put(event: TraceEvent, mayBeHeap: boolean): void {
    if (this.#order.length === 0) this.#options.onEvent(event, mayBeHeap)
    else this.#order.push({ atMs: 0, events: [{ event, mayBeHeap }] })
  }

  #send(nowMs: number): void {
    let done = 0
    for (; done < this.#order.length; done++) {
      const slot = this.#order[done]!
      if (slot.events === null && nowMs - slot.atMs < SLOT_MS) break
      for (const { event, mayBeHeap } of slot.events ?? []) this.#options.onEvent(event, mayBeHeap)
    }
    if (done > 0) this.#order = this.#order.slice(done)
  }

  #ms({ atMs }: PerfSample): number {
    return atMs + this.#options.clockOffsetMs()
  }

  #pages(bytes: bigint): number {
    const page = BigInt(this.#options.pageBytes)
    return Number(((bytes + page - 1n) / page) * page)
  }
}

function isSame(known: Begun, call: Begun['call'], sample: PerfSample): boolean {
  if (known.call !== call || sample.atMs - known.sample.atMs > TWIN_MS) return false
  return [...sample.fields].every(([name, value]) => known.sample.fields.get(name) === value)
}
