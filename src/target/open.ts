// What is this argument? A core file or a PID, opened as a Target.
import type { FileOptions } from './core/modules.js'
import { openCore } from './core/open-core.js'
import { openLive } from './live/open-live.js'
import type { Target } from './target.js'
import { type UnpackProgress, unpackCore } from './unpack/unpack-core.js'

/** What the user named. */
export type TargetChoice =
  | { readonly kind: 'core'; readonly path: string; readonly program?: string; readonly sysroot?: string }
  | { readonly kind: 'live'; readonly pid: number }

/**
 * Opens a target for reading; throws TargetError with a line and a hint for the user, also for a compressed core, which
 * takes openTargetUnpacked.
 */
export function openTarget(choice: TargetChoice): Target {
  return choice.kind === 'live' ? openLive(choice.pid) : openCore(choice.path, filesOf(choice))
}

/** A target, and where its core can be opened by others until it is closed (null: not a core). */
export interface OpenedTarget {
  readonly target: Target
  readonly corePath: string | null
}

/**
 * As openTarget; a core compressed with gzip, zstd, lz4 or xz is unpacked first, to a private file that closing the
 * target, or the end of this process, removes. `progress` is told of that.
 */
export async function openTargetUnpacked(
  choice: TargetChoice,
  progress?: UnpackProgress,
): Promise<OpenedTarget> {
  if (choice.kind === 'live') return { target: openLive(choice.pid), corePath: null }
  const unpacked = await unpackCore(choice.path, progress)
  if (!unpacked) return { target: openCore(choice.path, filesOf(choice)), corePath: choice.path }
  const { file, problems } = unpacked
  try {
    const options = {
      ...filesOf(choice),
      label: choice.path,
      problems,
      unpacked: true,
      onClose: () => file.close(),
    }
    return { target: openCore(file.path, options), corePath: file.path }
  } catch (error) {
    file.close()
    throw error
  }
}

function filesOf({
  program,
  sysroot,
}: {
  readonly program?: string
  readonly sysroot?: string
}): FileOptions {
  return {
    ...(program === undefined ? {} : { program }),
    ...(sysroot === undefined ? {} : { sysroot }),
  }
}
