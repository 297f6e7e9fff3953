// Writing a report to a file.
import type { Question } from './question.js'

export const exportQuestion: Question = {
  wanted: ({ exporting }) => (exporting ? `${exporting.format} ${exporting.file}` : null),
  async ask({ exporting }, { services, session }) {
    if (!services) throw new Error('files cannot be written from here')
    const text = await services.exportReport(session.report, exporting!.format, exporting!.file)
    return { type: 'exported', text, error: null }
  },
  failed: (_state, _session, error) => ({ type: 'exported', text: '', error }),
}
