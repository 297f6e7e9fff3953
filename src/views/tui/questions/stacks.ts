// What each thread was doing.
import { wantsStacks } from '../panes/threads.js'
import type { Question } from './question.js'

const STACK_DEPTH = 8

export const stacksQuestion: Question = {
  wanted: (state) => (wantsStacks(state) ? 'stacks' : null),
  ask: async (_state, { session }) => ({
    type: 'stacks',
    stacks: await session.stacks(STACK_DEPTH),
    error: null,
  }),
  failed: (_state, _session, error) => ({ type: 'stacks', stacks: new Map(), error }),
}
