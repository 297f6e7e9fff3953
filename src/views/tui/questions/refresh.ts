// Another look at a live target.
import type { Question } from './question.js'

export const refreshQuestion: Question = {
  wanted: (state) => (state.refreshing ? 'refresh' : null),
  async ask(_state, { session }) {
    await session.refresh()
    return { type: 'refreshed', error: null }
  },
  failed: (_state, _session, error) => ({ type: 'refreshed', error }),
}
