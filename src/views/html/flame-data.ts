// What the flame graph of a trace is drawn from: in the page as JSON, read by browser/flame.ts.

/** Figures of stacks in this order: bytes mapped, calls, bytes still mapped at the end. */
export const FLAME_FIGURES = ['bytes', 'calls', 'stillMappedBytes'] as const

/** Outermost frame first. Values are of a frame and all that it called. */
export interface FlameNode {
  readonly name: string
  readonly values: readonly [bytes: number, calls: number, stillMappedBytes: number]
  readonly children: readonly FlameNode[]
}

/** A call: ms since the trace began, bytes, index in `stacks`. */
export type FlameMoment = readonly [atMs: number, bytes: number, birth: 0 | 1]

export interface FlameData {
  readonly root: FlameNode
  readonly moments: readonly FlameMoment[]
  readonly lengthMs: number
}
