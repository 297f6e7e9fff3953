// Is this growth, and how fast? A robust slope (Theil–Sen) over the floors of a series, and a test that it is steady.
import type { Value } from './series.js'

/** Fewer known values, or a shorter time, say nothing. */
export const LEAST_VALUES = 12
export const LEAST_SPAN_MS = 10_000
/** The time is cut into so many windows, of which the least value of each counts: a sawtooth's floor is flat. */
const LEAST_WINDOWS = 8
const MOST_WINDOWS = 32
/** Of all pairs of windows that differ, so many are higher later (Mann–Kendall's count). */
export const RISING_SHARE = 0.9
/** Of neighbouring windows so many are higher than the one before: some jumps are no steady growth. */
export const RISING_NEIGHBOURS = 0.3
/** The deepest fall on the way, of the whole rise. */
export const MOST_FALL = 0.2
/** What each half must rise by, of the whole slope: growth that came to an end is none, and one that began late is looked at alone. */
const EACH_HALF = 0.5
/** Of growth that began late, so much must be above all that was before it. */
const NEW_SHARE = 0.5
/** Parts of the history that are looked at, the last of it: growth may have begun late. */
const SPANS = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16] as const

const HOUR_MS = 3_600_000

/** Growth that goes on. */
export interface Growth {
  /** Units of the series in an hour, above zero. */
  readonly perHour: number
  /** First and last value of the floor. */
  readonly from: number
  readonly to: number
  /** Since when and until when, ms since 1970. */
  readonly fromMs: number
  readonly toMs: number
  /** Known values that it rests on. */
  readonly values: number
}

/**
 * Steady growth up to the end of the series, over the longest part of it that shows it; null where there is none, or
 * there are too few values to tell. Growth by less than `least` is none.
 */
export function steadyGrowth(series: readonly Value[], least: number): Growth | null {
  const last = series.at(-1)
  const first = series[0]
  if (!last || !first) return null
  for (const share of SPANS) {
    const fromMs = last.atMs - (last.atMs - first.atMs) * share
    const from = series.findIndex(({ atMs }) => atMs >= fromMs)
    const growth = growthOf(series.slice(from), least)
    if (!growth) continue
    // The rising side of a tooth that has been about as high before is no growth.
    const newFrom = growth.to - NEW_SHARE * (growth.to - growth.from)
    if (series.slice(0, from).every(({ most }) => most <= newFrom)) return growth
  }
  return null
}

function growthOf(values: readonly Value[], least: number): Growth | null {
  const floors = floorsOf(values)
  if (floors.length < LEAST_WINDOWS) return null
  const from = floors[0]!.value
  const to = floors.at(-1)!.value
  const rise = to - from
  if (rise < least || rise <= 0) return null
  // Teeth that samples hit a little higher each time look like growth; they are larger than it.
  if (rise < median(floors.map(({ value, most }) => most - value))) return null
  const slope = theilSen(floors)
  if (slope <= 0 || !isRising(floors) || deepestFall(floors) > MOST_FALL * rise) return null
  const middle = floors.length >> 1
  const halves = [floors.slice(0, middle), floors.slice(middle)]
  if (halves.some((half) => theilSen(half) < EACH_HALF * slope)) return null
  const [fromMs, toMs] = [values[0]!.atMs, values.at(-1)!.atMs]
  return { perHour: slope * HOUR_MS, from, to, fromMs, toMs, values: values.length }
}

interface Floor {
  readonly atMs: number
  readonly value: number
}

interface Window extends Floor {
  readonly most: number
}

/** The least value of each window of time; empty where there is too little to tell. Windows without values are left out. */
export function floorsOf(values: readonly Value[]): readonly Window[] {
  const span = values.length === 0 ? 0 : values.at(-1)!.atMs - values[0]!.atMs
  if (values.length < LEAST_VALUES || span < LEAST_SPAN_MS) return []
  const windows = Math.min(MOST_WINDOWS, Math.max(LEAST_WINDOWS, values.length >> 2))
  const floors: Window[] = []
  let window = -1
  for (const { atMs, least, most } of values) {
    const at = Math.min(windows - 1, Math.floor(((atMs - values[0]!.atMs) / span) * windows))
    const last = floors.at(-1)
    if (at !== window || !last) {
      floors.push({ atMs, value: least, most })
      window = at
      continue
    }
    const lowest = least < last.value ? { atMs, value: least } : last
    floors[floors.length - 1] = { atMs: lowest.atMs, value: lowest.value, most: Math.max(most, last.most) }
  }
  return floors
}

/** Median of the slopes of all pairs, in units a ms; 0 where there are no pairs. */
export function theilSen(values: readonly Floor[]): number {
  const slopes: number[] = []
  for (let i = 0; i < values.length; i++) {
    for (let j = i + 1; j < values.length; j++) {
      const time = values[j]!.atMs - values[i]!.atMs
      if (time > 0) slopes.push((values[j]!.value - values[i]!.value) / time)
    }
  }
  if (slopes.length === 0) return 0
  return median(slopes)
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function isRising(floors: readonly Floor[]): boolean {
  let rises = 0
  let falls = 0
  let neighbours = 0
  for (let i = 0; i < floors.length; i++) {
    for (let j = i + 1; j < floors.length; j++) {
      if (floors[j]!.value > floors[i]!.value) rises++
      else if (floors[j]!.value < floors[i]!.value) falls++
    }
    if (i > 0 && floors[i]!.value > floors[i - 1]!.value) neighbours++
  }
  return rises >= RISING_SHARE * (rises + falls) && neighbours >= RISING_NEIGHBOURS * (floors.length - 1)
}

function deepestFall(floors: readonly Floor[]): number {
  let peak = Number.NEGATIVE_INFINITY
  let deepest = 0
  for (const { value } of floors) {
    peak = Math.max(peak, value)
    deepest = Math.max(deepest, peak - value)
  }
  return deepest
}
