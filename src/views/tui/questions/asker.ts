// Keeps the questions going that the state wants, and stops those that it no longer does.
import type { Session } from '../../../session/session.js'
import type { Action } from '../actions.js'
import type { TuiServices } from '../services.js'
import type { TuiState } from '../tui-state.js'
import type { Question } from './question.js'

interface UnderWay {
  readonly name: string
  readonly abort: AbortController
}

export interface AskerOptions {
  readonly questions: readonly Question[]
  readonly services: TuiServices | null
  act(action: Action): void
}

/** One per run of the TUI. */
export class Asker {
  readonly #options: AskerOptions
  readonly #underWay = new Map<Question, UnderWay>()

  constructor(options: AskerOptions) {
    this.#options = options
  }

  /** Called after every change of the state. */
  update(state: TuiState, session: Session): void {
    for (const question of this.#options.questions) {
      const name = question.wanted(state, session)
      const running = this.#underWay.get(question)
      if (running && running.name !== name) running.abort.abort()
      // One that was stopped is waited for: its end brings another update.
      if (!running && name !== null) this.#start(question, name, state, session)
    }
  }

  stop(): void {
    for (const { abort } of this.#underWay.values()) abort.abort()
  }

  #start(question: Question, name: string, state: TuiState, session: Session): void {
    const abort = new AbortController()
    this.#underWay.set(question, { name, abort })
    const { services, act } = this.#options
    const asking = {
      session,
      services,
      signal: abort.signal,
      act: (action: Action) => {
        if (!abort.signal.aborted) act(action)
      },
    }
    question
      .ask(state, asking)
      .catch((error: unknown) =>
        question.failed(state, session, error instanceof Error ? error.message : String(error)),
      )
      .then((action) => {
        this.#underWay.delete(question)
        act(action && !abort.signal.aborted ? action : { type: 'nothing' })
      })
      .catch((error: unknown) => {
        // The reducer failed: that is an error of ours, for whoever handles those.
        queueMicrotask(() => {
          throw error
        })
      })
  }
}
