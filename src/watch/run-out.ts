// When memory runs out, if the process goes on to grow as it does.
import type { Finding, Severity } from '../findings/finding.js'
import type { LimitsOf, Thresholds } from '../findings/thresholds.js'
import { durationText } from '../format/durations.js'
import { bytesText } from '../format/sizes.js'
import type { Point } from './history.js'
import type { Sample } from './sample.js'
import { seriesOf } from './series.js'
import { type Growth, steadyGrowth } from './steady.js'

const DAY_MS = 24 * 3_600_000

/** Of the rules whose severity tells when memory runs out. */
export const RUN_OUT_THRESHOLDS = {
  criticalWithinMs: {
    value: DAY_MS,
    unit: 'milliseconds',
    meaning: 'critical when memory runs out sooner',
  },
  noteBeyondMs: {
    value: 30 * DAY_MS,
    unit: 'milliseconds',
    meaning: 'for information only when it runs out later',
  },
} as const satisfies Thresholds

/** Less is the noise of any process. */
const LEAST_GROWTH_BYTES = 1 << 20

/** What there is left, and of what. */
export interface Room {
  readonly bytes: number
  readonly of: "the control group's limit" | "the machine's memory"
}

export interface RunOut {
  /** Of RSS and swap together. */
  readonly growth: Growth
  readonly room: Room
  /** Until the room is used up at that rate. */
  readonly inMs: number
}

/** The nearer of the two limits; null where neither is known. */
export function roomOf(sample: Sample): Room | null {
  const { cgroupLimitBytes: limit, cgroupUsedBytes: used, machineAvailableBytes: available } = sample
  const rooms: Room[] = []
  if (limit !== null && used !== null)
    rooms.push({ bytes: Math.max(0, limit - used), of: "the control group's limit" })
  if (available !== null) rooms.push({ bytes: available, of: "the machine's memory" })
  return rooms.sort((a, b) => a.bytes - b.bytes)[0] ?? null
}

/** Null where memory in RAM and swap does not grow steadily, or the room is unknown. Address space is no memory. */
export function runOut(points: readonly Point[]): RunOut | null {
  const last = points.at(-1)
  const room = last ? roomOf(last.sample) : null
  const growth = steadyGrowth(seriesOf(points, 'rssAndSwapBytes'), LEAST_GROWTH_BYTES)
  if (!room || !growth) return null
  return { growth, room, inMs: (room.bytes / growth.perHour) * 3_600_000 }
}

/** A warning where it is not known. */
export function severityOf(out: RunOut | null, limits: LimitsOf<typeof RUN_OUT_THRESHOLDS>): Severity {
  if (!out) return 'warning'
  return out.inMs <= limits.criticalWithinMs
    ? 'critical'
    : out.inMs <= limits.noteBeyondMs
      ? 'warning'
      : 'info'
}

/** `; at this rate …`, for the end of a title; empty where it is not known. */
export function runOutText(out: RunOut | null): string {
  if (!out) return ''
  const { room, inMs } = out
  const when = inMs > 365 * 24 * 3_600_000 ? 'in more than a year' : `in about ${durationText(inMs)}`
  return `; at this rate ${room.of} (${bytesText(room.bytes)} left) is used up ${when}`
}

/** The same as evidence. */
export function runOutEvidence(out: RunOut | null): Finding['evidence'] {
  if (!out) return []
  return [
    { label: 'RSS and swap, growth an hour', value: Math.round(out.growth.perHour), unit: 'bytes' },
    { label: `left of ${out.room.of}`, value: out.room.bytes, unit: 'bytes' },
    { label: 'used up at this rate in', value: durationText(out.inMs), unit: 'text' },
  ]
}
