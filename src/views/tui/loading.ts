// Opening a target while the first frame is already on the screen.
import type { Session } from '../../session/session.js'

/** What is being done, and how much of it is done (0 … 1, null when unknown). */
export interface LoadProgress {
  readonly text: string
  readonly fraction: number | null
  /** What is known already, printable; made only while there is nothing else to show. Lines below the screen are not shown. */
  rows?(): readonly string[]
}

/** Given to a function that opens the session. */
export interface Loading {
  /** Aborted when the user leaves before the session is there. */
  readonly signal: AbortSignal
  progress(progress: LoadProgress): void
  /** A session that can be looked at already, while what is told of it is still being read; it is the answer later. */
  early(session: Session): void
}

/** A session, one on its way, or how to make one. */
export type SessionToOpen = Session | Promise<Session> | ((loading: Loading) => Promise<Session>)
