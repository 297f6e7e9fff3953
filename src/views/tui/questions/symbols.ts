// Which symbols the pointers on the screen are.
import { wantedSymbols } from '../panes/memory-dump.js'
import type { Question } from './question.js'

const SYMBOLS_AT_ONCE = 256

export const symbolsQuestion: Question = {
  wanted: (state, session) =>
    state.pane === 'memory' && wantedSymbols(state, session).length > 0 ? 'symbols' : null,
  async ask(state, { session }) {
    const values = wantedSymbols(state, session).slice(0, SYMBOLS_AT_ONCE)
    const symbols = await session.symbolsOf(values)
    const found = new Map(values.map((value, index) => [value, symbols[index] ?? null]))
    return { type: 'symbols', found, error: null }
  },
  failed(state, session, error) {
    const found = new Map(wantedSymbols(state, session).map((value) => [value, null]))
    return { type: 'symbols', found, error }
  },
}
