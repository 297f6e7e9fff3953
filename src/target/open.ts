// What is this argument? A core file or a PID, opened as a Target.
import { openCore } from './core/open-core.js'
import { openLive } from './live/open-live.js'
import type { Target } from './target.js'

/** What the user named. */
export type TargetChoice =
  | { readonly kind: 'core'; readonly path: string; readonly program?: string; readonly sysroot?: string }
  | { readonly kind: 'live'; readonly pid: number }

/** Opens a target for reading; throws TargetError with a line and a hint for the user. */
export function openTarget(choice: TargetChoice): Target {
  if (choice.kind === 'live') return openLive(choice.pid)
  const { path, program, sysroot } = choice
  return openCore(path, {
    ...(program === undefined ? {} : { program }),
    ...(sysroot === undefined ? {} : { sysroot }),
  })
}
