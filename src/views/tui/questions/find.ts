// The next place of what is looked for, over the whole target.
import { inSlices, type Question } from './question.js'

/** How often the progress comes on the screen. */
const SHOW_EVERY_MS = 100

export const findQuestion: Question = {
  wanted: ({ find }) => (find?.isRunning ? `${find.serial}` : null),
  async ask({ find }, { session, signal, act }) {
    const { text, from, direction, serial } = find!
    const steps = session.search(text, from, direction)
    function* looking() {
      let shownAt = performance.now()
      for (const { at, fraction } of steps) {
        if (at !== null) return at
        if (performance.now() - shownAt > SHOW_EVERY_MS) {
          act({ type: 'searching', serial, fraction })
          shownAt = performance.now()
        }
        yield undefined
      }
      return null
    }
    const at = await inSlices(looking(), signal)
    return signal.aborted ? null : { type: 'found', serial, at, error: null }
  },
  failed: ({ find }, _session, error) => ({ type: 'found', serial: find?.serial ?? -1, at: null, error }),
}
