// The samples of a watch in bounded memory: the newest as they are, older ones thinned, their extremes kept.
import type { Sample } from './sample.js'

/** Newest samples, which are never thinned. */
export const MOST_RECENT = 240
/** Thinned ones; when there are more, each begins to stand for twice as many samples. */
export const MOST_OLDER = 480

/** Figures of which a point keeps the least and the most. */
export const EXTREMES = [
  'rssBytes',
  'swapBytes',
  'systemBytes',
  'inUseBytes',
  'freeInBinsBytes',
  'mmappedBytes',
  'arenas',
] as const satisfies readonly (keyof Sample)[]

export type ExtremeFigure = (typeof EXTREMES)[number]

/** Least and most of the samples that know the figure; absent where none does. */
export type Extremes = Readonly<Partial<Record<ExtremeFigure, readonly [least: number, most: number]>>>

/** One sample, or one of several that follow each other and stands for all of them. */
export interface Point {
  readonly sample: Sample
  /** How many samples it stands for. */
  readonly samples: number
  /** When reading of the first and of the last of them began, ms since 1970. */
  readonly fromMs: number
  readonly toMs: number
  readonly extremes: Extremes
}

/** Grows to MOST_RECENT + MOST_OLDER points, however many samples come. */
export class History {
  readonly #older: Point[] = []
  readonly #recent: Sample[] = []
  #step = 1
  #samples = 0
  #first: Sample | null = null

  /** Samples come in order of time. */
  add(sample: Sample): void {
    this.#first ??= sample
    this.#samples++
    this.#recent.push(sample)
    if (this.#recent.length <= MOST_RECENT) return
    this.#age(pointOf(this.#recent.shift()!))
  }

  /** Oldest first. */
  get points(): readonly Point[] {
    return [...this.#older, ...this.#recent.map(pointOf)]
  }

  /** How many were added. */
  get samples(): number {
    return this.#samples
  }

  get first(): Sample | null {
    return this.#first
  }

  get last(): Sample | null {
    return this.#recent.at(-1) ?? null
  }

  /** The one before the last. */
  get previous(): Sample | null {
    return this.#recent.at(-2) ?? null
  }

  #age(point: Point): void {
    const last = this.#older.at(-1)
    if (last && last.samples < this.#step) this.#older[this.#older.length - 1] = joined(last, point)
    else this.#older.push(point)
    if (this.#older.length <= MOST_OLDER) return
    this.#step *= 2
    const all = this.#older.splice(0)
    for (let i = 0; i < all.length; i += 2)
      this.#older.push(all[i + 1] ? joined(all[i]!, all[i + 1]!) : all[i]!)
  }
}

function pointOf(sample: Sample): Point {
  const extremes: Partial<Record<ExtremeFigure, readonly [number, number]>> = {}
  for (const figure of EXTREMES) {
    const value = sample[figure]
    if (value !== null) extremes[figure] = [value, value]
  }
  return { sample, samples: 1, fromMs: sample.atMs, toMs: sample.atMs, extremes }
}

function joined(a: Point, b: Point): Point {
  const extremes: Partial<Record<ExtremeFigure, readonly [number, number]>> = {}
  for (const figure of EXTREMES) {
    const range = rangeOf(a.extremes[figure], b.extremes[figure])
    if (range) extremes[figure] = range
  }
  // The later one, unless it knows less.
  const sample = known(b.sample) >= known(a.sample) ? b.sample : a.sample
  return { sample, samples: a.samples + b.samples, fromMs: a.fromMs, toMs: b.toMs, extremes }
}

/** Of both; undefined where neither is known. */
export function rangeOf(
  a: readonly [number, number] | undefined,
  b: readonly [number, number] | undefined,
): readonly [number, number] | undefined {
  return a && b ? [Math.min(a[0], b[0]), Math.max(a[1], b[1])] : (a ?? b)
}

function known(sample: Sample): number {
  return EXTREMES.filter((figure) => sample[figure] !== null).length
}
