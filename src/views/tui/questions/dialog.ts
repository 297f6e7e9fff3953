// What trim and limit would do, and doing it once it is agreed to.
import type { Dialog } from '../dialog.js'
import type { Question } from './question.js'

export const dialogQuestion: Question = {
  wanted({ dialog }) {
    if (!dialog) return null
    const { phase, wish } = dialog
    return phase === 'preparing' || phase === 'running' ? `${phase} ${JSON.stringify(wish)}` : null
  },
  async ask(state, { services, signal }) {
    const dialog = state.dialog!
    if (!services) throw new Error('processes cannot be changed from here')
    if (dialog.phase === 'running') {
      const lines = await dialog.prepared!.run()
      return { type: 'dialog', dialog: { ...dialog, phase: 'done', lines, top: 0 } }
    }
    const prepared = await services.prepare(dialog.wish)
    if (signal.aborted) return null
    const lines = [...prepared.lines, '', `This will ${prepared.question}.`]
    return { type: 'dialog', dialog: { ...dialog, phase: 'asking', prepared, lines } }
  },
  failed({ dialog }, _session, error) {
    const failed: Dialog | null = dialog && { ...dialog, phase: 'failed', lines: [error], top: 0 }
    return { type: 'dialog', dialog: failed }
  },
}
