// What a recorder tells, added up in bounded memory however long it records.
import { hex } from '../memory/address.js'
import { TargetError } from '../target/target.js'
import { CodePlaces, type CodeTarget } from './code-places.js'
import { GroupTally, sumOf } from './group-tally.js'
import { MappedRanges } from './mapped-ranges.js'
import type { Trace, TraceGap, TraceMoment, TraceStackOfFrames } from './trace.js'
import type { MapEvent, TraceEvent, TraceStack } from './trace-event.js'

/** Distinct stacks; calls from any further one are added up without their stack. */
export const MOST_STACKS = 20_000
/** Calls that are kept one by one, half of them the first, half the last. */
export const MOST_EVENTS = 100_000
/** Stretches of memory that are watched for being unmapped; the kernel's own default limit is 65,530. */
export const MOST_RANGES = 1 << 18
export const MOST_GAPS = 1000
const MOST_THREADS = 10_000

export interface StateLimits {
  readonly stacks: number
  readonly events: number
  readonly ranges: number
}

const LIMITS: StateLimits = { stacks: MOST_STACKS, events: MOST_EVENTS, ranges: MOST_RANGES }

/** What the counters on a terminal show. */
export interface TraceCounts {
  readonly calls: number
  readonly bytes: number
  readonly stillMappedBytes: number
  readonly arenas: number
  readonly heaps: number
  readonly lost: number
}

/** The parts of a Trace that the events make. */
export type TracedParts = Pick<
  Trace,
  | 'mapped'
  | 'births'
  | 'lostEvents'
  | 'gaps'
  | 'gapsNotKept'
  | 'modules'
  | 'frames'
  | 'stacks'
  | 'threads'
  | 'groups'
  | 'callsWithoutGroup'
  | 'events'
  | 'eventsNotKept'
  | 'checkedAgainstMaps'
>

type Moment = Omit<TraceMoment, 'group'> & { readonly group: GroupTally }

/** Takes events in their order. */
export class TraceState {
  readonly places: CodePlaces
  readonly #target: CodeTarget
  readonly #limits: StateLimits
  readonly #ranges: MappedRanges
  readonly #stacks: TraceStackOfFrames[] = []
  readonly #stackByKey = new Map<string, number>()
  readonly #groups = new Map<string, GroupTally>()
  readonly #firstEvents: Moment[] = []
  readonly #lastEvents: Moment[] = []
  #nextLast = 0
  #eventCount = 0
  readonly #threads = new Map<number, string>()
  readonly #gaps: TraceGap[] = []
  #gapCount = 0
  #lost = 0
  #callsWithoutGroup = 0
  #checked: Trace['checkedAgainstMaps'] = null

  constructor(target: CodeTarget, limits: StateLimits = LIMITS) {
    this.#target = target
    this.#limits = limits
    this.#ranges = new MappedRanges(limits.ranges)
    this.places = new CodePlaces(target)
  }

  add(event: TraceEvent): void {
    if (event.kind === 'map') this.#map(event)
    else if (event.kind === 'unmap') this.#ranges.remove(event.address, event.bytes)
    else if (event.kind === 'move') this.#ranges.move(event.from, event.to, event.bytes)
    else if (event.kind === 'lost') this.#lost += event.count
    else if (event.kind === 'exec') {
      this.#ranges.clear()
      this.places.executed()
    } else {
      this.#gapCount++
      if (this.#gaps.length < MOST_GAPS)
        this.#gaps.push({ atMs: event.atMs, untilMs: event.untilMs, why: event.why })
    }
  }

  counts(): TraceCounts {
    const { calls, bytes, stillMappedBytes } = sumOf(this.#of('map'))
    const births = this.#of('birth')
    const count = (of: 'arenas' | 'heaps') => births.reduce((sum, group) => sum + group[of], 0)
    return {
      calls,
      bytes,
      stillMappedBytes,
      arenas: count('arenas'),
      heaps: count('heaps'),
      lost: this.#lost,
    }
  }

  /** Looks into the target's maps whether what should be mapped is; nothing happens when they cannot be read. */
  checkAgainstMaps(atMs: number): void {
    try {
      this.#target.refresh()
      const goneUnseenBytes =
        (this.#checked?.goneUnseenBytes ?? 0) + this.#ranges.keepOnly(this.#target.regions())
      this.#checked = { atMs, goneUnseenBytes }
    } catch (error) {
      if (!(error instanceof TargetError)) throw error
    }
  }

  parts(): TracedParts {
    const groups = [...this.#groups.values()].sort((a, b) =>
      a.kind === b.kind ? b.bytes - a.bytes : a.kind === 'map' ? -1 : 1,
    )
    const numbers = new Map(groups.map((group, index) => [group, index]))
    const births = this.#of('birth')
    const last = [...this.#lastEvents.slice(this.#nextLast), ...this.#lastEvents.slice(0, this.#nextLast)]
    const kept = [...this.#firstEvents, ...last]
    const sum = (of: 'arenas' | 'heaps' | 'bytes') => births.reduce((total, group) => total + group[of], 0)
    return {
      mapped: sumOf(this.#of('map')),
      births: { arenas: sum('arenas'), heaps: sum('heaps'), reservedBytes: sum('bytes') },
      lostEvents: this.#lost,
      gaps: this.#gaps,
      gapsNotKept: this.#gapCount - this.#gaps.length,
      modules: this.places.modules,
      frames: this.places.frames,
      stacks: this.#stacks,
      threads: [...this.#threads].map(([tid, name]) => ({ tid, name })),
      groups: groups.map((group) => group.toGroup()),
      callsWithoutGroup: this.#callsWithoutGroup,
      events: kept.map((moment) => ({ ...moment, group: numbers.get(moment.group)! })),
      eventsNotKept: this.#eventCount - kept.length,
      checkedAgainstMaps: this.#checked,
    }
  }

  #of(kind: 'map' | 'birth'): GroupTally[] {
    return [...this.#groups.values()].filter((group) => group.kind === kind)
  }

  #map(event: MapEvent): void {
    const group = this.#groupOf(event)
    const owner = group.add(event)
    if (event.address === null || !this.#ranges.add(event.address, event.bytes, owner)) owner.untracked()
    if (this.#threads.size < MOST_THREADS) this.#threads.set(event.tid, event.threadName)
    this.#keep({
      atMs: event.atMs,
      group,
      tid: event.tid,
      call: event.call,
      address: event.address === null ? null : hex(event.address),
      bytes: event.bytes,
      mallocBirth: event.mallocBirth,
    })
  }

  #keep(moment: Moment): void {
    const half = Math.ceil(this.#limits.events / 2)
    this.#eventCount++
    if (this.#firstEvents.length < half) this.#firstEvents.push(moment)
    else if (this.#lastEvents.length < half) this.#lastEvents.push(moment)
    else {
      this.#lastEvents[this.#nextLast] = moment
      this.#nextLast = (this.#nextLast + 1) % half
    }
  }

  #groupOf(event: MapEvent): GroupTally {
    const kind = event.mallocBirth === null ? 'map' : 'birth'
    const stack = event.stack === null ? null : this.#stackNumber(event.stack)
    const other = event.stack !== null && stack === null
    if (other) this.#callsWithoutGroup++
    const key = `${kind} ${other ? 'other' : stack}`
    const known = this.#groups.get(key)
    if (known) return known
    const group = new GroupTally(kind, stack, other)
    this.#groups.set(key, group)
    return group
  }

  #stackNumber(stack: TraceStack): number | null {
    const frames = this.places.framesOf(stack.pcs)
    if (frames === null) return null
    const key = `${stack.cut} ${frames.join(' ')}`
    const known = this.#stackByKey.get(key)
    if (known !== undefined) return known
    if (this.#stacks.length >= this.#limits.stacks) return null
    this.#stacks.push({ frames, cut: stack.cut })
    this.#stackByKey.set(key, this.#stacks.length - 1)
    return this.#stacks.length - 1
  }
}
