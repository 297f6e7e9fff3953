// The HTML report of a session: its report, its regions, and what its heaps hold.
import { heapMaps } from '../report/heap-maps.js'
import type { Session } from '../session/session.js'
import { renderReportHtml } from '../views/html/report-page.js'
import { browserScript } from './browser-script.js'

/** The file's text. Lists chunks, which takes about as long as measuring did. Throws CommandError. */
export function reportHtml(session: Pick<Session, 'report' | 'pieces' | 'chunkBatches'>): string {
  const script = browserScript('report')
  const { report, pieces } = session
  return renderReportHtml({ report, pieces, heaps: heapMaps(session) }, script)
}
