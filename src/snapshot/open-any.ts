// Opens whatever the user named: a core, a live process, a process behind a gdb stub, a snapshot, a saved report.
import type { InspectedSession } from '../session/inspected-session.js'
import { openSession, type SessionOptions } from '../session/open-session.js'
import type { TargetChoice } from '../target/open.js'
import { TargetError } from '../target/target.js'
import { recogniseSaved } from './recognise-saved.js'

/** What the user named. A file is told by its content: `core` may turn out to be a snapshot or a saved report. */
export type AnyChoice = TargetChoice | { readonly kind: 'snapshot'; readonly path: string }

/** The session of what `choice` names. Throws TargetError. */
export async function openAny(choice: AnyChoice, options: SessionOptions = {}): Promise<InspectedSession> {
  if (choice.kind === 'core' || choice.kind === 'snapshot') {
    const saved = recogniseSaved(choice.path)
    if (saved) {
      if (choice.kind === 'core' && choice.program !== undefined)
        throw new TargetError(
          `${choice.path} is a saved ${saved.what}, which needs no program`,
          'leave the program out',
        )
      if (saved.what === 'snapshot') return (await import('./open-snapshot.js')).openSnapshot(choice.path)
      return (await import('./open-saved-report.js')).openSavedReport(choice.path, saved.isPacked)
    }
    if (choice.kind === 'snapshot')
      throw new TargetError(
        `${choice.path} is no snapshot and no saved report, or cannot be read`,
        'make one with arena-inspect snapshot TARGET -o FILE',
      )
  }
  return openSession(choice, options)
}
