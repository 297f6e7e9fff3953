// The report of a target in one call.
import type { Report } from '../report/report.js'
import type { TargetChoice } from '../target/open.js'
import { openSession, type SessionOptions } from './open-session.js'

/** Opens what `choice` names, reports where its memory is, and closes it. Throws TargetError. */
export async function readReport(choice: TargetChoice, options: SessionOptions = {}): Promise<Report> {
  const session = await openSession(choice, options)
  try {
    return session.report
  } finally {
    await session.close()
  }
}
