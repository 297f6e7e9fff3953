// What is this argument? A core file, a PID or a gdb stub, opened as a Target.
import type { FileOptions } from './core/modules.js'
import { openCore } from './core/open-core.js'
import type { GdbOptions } from './gdb/gdb-options.js'
import { parseEndpoint } from './gdb/remote/endpoint.js'
import { openLive } from './live/open-live.js'
import { type Target, TargetError } from './target.js'
import { type UnpackProgress, unpackCore } from './unpack/unpack-core.js'

/** What the user named. */
export type TargetChoice =
  | { readonly kind: 'core'; readonly path: string; readonly program?: string; readonly sysroot?: string }
  | { readonly kind: 'live'; readonly pid: number }
  | {
      readonly kind: 'gdb'
      /** HOST:PORT of a gdb stub. */
      readonly remote: string
      /** Null: the process that the stub has. */
      readonly pid: number | null
      readonly sysroot?: string
    }

/**
 * Opens a target for reading; throws TargetError with a line and a hint for the user, also for a compressed core, which
 * and for a gdb stub, which take openTargetUnpacked.
 */
export function openTarget(choice: TargetChoice): Target {
  if (choice.kind === 'gdb') {
    throw new TargetError('a process behind a gdb stub takes time to open', 'use openTargetUnpacked')
  }
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
  gdb: GdbOptions = {},
): Promise<OpenedTarget> {
  if (choice.kind === 'gdb') {
    const { remote, pid, sysroot = null } = choice
    const { openRemote } = await import('./gdb/remote/open-remote.js')
    return {
      target: await openRemote({ endpoint: parseEndpoint(remote), pid, sysroot }, gdb),
      corePath: null,
    }
  }
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
