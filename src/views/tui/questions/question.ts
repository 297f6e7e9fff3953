// What the state wants to know that takes time: asked by the runtime, answered by an action.
import type { Session } from '../../../session/session.js'
import type { Action } from '../actions.js'
import type { TuiServices } from '../services.js'
import type { TuiState } from '../tui-state.js'

export interface Asking {
  readonly session: Session
  readonly services: TuiServices | null
  /** Aborted when the state wants something else, and when the user leaves. */
  readonly signal: AbortSignal
  /** For what is known before the answer is whole. */
  act(action: Action): void
}

/** One kind of question; only one of a kind is under way at a time. */
export interface Question {
  /** Names what is asked for; null when nothing is. While the name stays, the question goes on. */
  wanted(state: TuiState, session: Session): string | null
  /** The answer; after it `wanted` no longer names this. Null: it was aborted. */
  ask(state: TuiState, asking: Asking): Promise<Action | null>
  /** The action that tells of a failure; after it `wanted` no longer names this. */
  failed(state: TuiState, session: Session, error: string): Action
}

/** How long a stretch of work may hold up keys. */
const SLICE_MS = 12

/** Runs `steps` to the end, other work in between; null when aborted. */
export async function inSlices<T>(steps: Generator<unknown, T>, signal: AbortSignal): Promise<T | null> {
  for (;;) {
    const end = performance.now() + SLICE_MS
    do {
      const step = steps.next()
      if (step.done) return step.value
    } while (performance.now() < end)
    await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) return null
  }
}
