// Which recorder: the one that was asked for, else the first that can be used here.
import { TargetError } from '../target/target.js'
import type { Recorder } from './trace-event.js'

export interface ChosenRecorder {
  readonly recorder: Recorder
  /** In words, for people. */
  readonly why: string
}

/** `recorders`: best first. Throws TargetError when none can be used, or not the one that was asked for. */
export async function chooseRecorder(
  pid: number,
  recorders: readonly Recorder[],
  asked: string | null,
): Promise<ChosenRecorder> {
  const reasons: string[] = []
  for (const recorder of recorders) {
    if (asked !== null && recorder.name !== asked) continue
    const whyNot = await recorder.whyNot(pid)
    if (whyNot === null) {
      const why =
        asked === null ? (reasons.length > 0 ? reasons.join('; ') : 'it costs the target least') : 'asked for'
      return { recorder, why }
    }
    reasons.push(`${recorder.name} cannot be used: ${whyNot}`)
  }
  throw new TargetError(
    reasons.join('; ') || `there is no recorder ${asked}`,
    asked === null ? 'see the README on what each recorder needs' : 'try without --recorder',
  )
}
