// The limits of a process's control groups: CPU quota and memory, over all levels that can be seen (cgroups(7)).
import { insideRoot } from './inside-root.js'
import { readRegularOrNull, readTextOrNull } from './proc-file.js'

/** The least of all levels; null: no limit, or none that can be seen. */
export interface CgroupLimits {
  /** CPUs that the quota amounts to. */
  readonly quotaCpus: number | null
  readonly memoryLimitBytes: number | null
  /** Charged to the level of memoryLimitBytes. */
  readonly memoryUsedBytes: number | null
}

/** A process's membership: a line of /proc/PID/cgroup. The path is relative to the reader's cgroup namespace. */
interface Membership {
  /** Empty for cgroup v2. */
  readonly controllers: readonly string[]
  readonly path: string
}

/** A mounted cgroup hierarchy: a line of mountinfo. */
interface CgroupMount {
  readonly isV2: boolean
  /** Which cgroup is at the mount point, relative to the reader's cgroup namespace. */
  readonly shows: string
  /** What stands in front of its path. */
  readonly root: string
  /** Its path below `root`. */
  readonly folder: string
  readonly controllers: readonly string[]
}

/** Limits of process `pid`. `root` stands in front of every path, for tests. */
export function readCgroupLimits(pid: number, root = ''): CgroupLimits {
  const memberships = parseMemberships(readTextOrNull(`${root}/proc/${pid}/cgroup`) ?? '')
  // Ours first. A group outside our namespace (`/../…`) is seen through the target's own mounts, if at all.
  const mounts = [
    ...parseMounts(readTextOrNull(`${root}/proc/self/mountinfo`) ?? '', root),
    ...parseMounts(readTextOrNull(`${root}/proc/${pid}/mountinfo`) ?? '', `${root}/proc/${pid}/root`),
  ]
  const levels = (controller: string) => memberships.flatMap((one) => levelsOf(one, controller, mounts))
  const quotas = levels('cpu').flatMap(({ folder, isV2 }) => (isV2 ? quotaV2(folder) : quotaV1(folder)) ?? [])
  const memory = levels('memory')
    .flatMap(({ folder, isV2 }) => memoryOf(folder, isV2) ?? [])
    .sort((a, b) => a.limitBytes - b.limitBytes)[0]
  return {
    quotaCpus: quotas.length > 0 ? Math.min(...quotas) : null,
    memoryLimitBytes: memory?.limitBytes ?? null,
    memoryUsedBytes: memory?.usedBytes ?? null,
  }
}

function parseMemberships(text: string): Membership[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    if (!match) return []
    return { controllers: match[1] === '' ? [] : match[1]!.split(','), path: withoutDeleted(match[2]!) }
  })
}

// The kernel marks a removed group by these words.
function withoutDeleted(path: string): string {
  return path.endsWith(' (deleted)') ? path.slice(0, -' (deleted)'.length) : path
}

// proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, `-`, type, source, super options.
function parseMounts(text: string, root: string): CgroupMount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ')
    const fields = before!.split(' ')
    const [type, , superOptions] = after?.split(' ') ?? []
    if ((type !== 'cgroup' && type !== 'cgroup2') || fields.length < 6) return []
    return {
      isV2: type === 'cgroup2',
      shows: unescaped(fields[3]!),
      root,
      folder: unescaped(fields[4]!),
      controllers: superOptions?.split(',') ?? [],
    }
  })
}

// Blanks and backslashes are written in octal.
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

// Folders of the group and of its ancestors, as far as one mount shows them.
function levelsOf(
  { controllers, path }: Membership,
  controller: string,
  mounts: readonly CgroupMount[],
): readonly { readonly folder: string; readonly isV2: boolean }[] {
  const isV2 = controllers.length === 0
  if (!isV2 && !controllers.includes(controller)) return []
  for (const mount of mounts) {
    if (mount.isV2 !== isV2 || (!isV2 && !mount.controllers.includes(controller))) continue
    const below = pathBelow(path, mount.shows)
    if (below === null) continue
    return below.flatMap((_, length) => {
      // What a container has mounted over its groups must not lead elsewhere.
      const folder = insideRoot(mount.root, [mount.folder, ...below.slice(1, length + 1)].join('/'))
      return folder === null ? [] : [{ folder, isV2 }]
    })
  }
  return []
}

// Names from `top` down to `path`, with '' for `top` itself; null where `path` is not below it.
function pathBelow(path: string, top: string): string[] | null {
  const names = path.split('/').filter((name) => name !== '')
  const above = top.split('/').filter((name) => name !== '')
  if (above.some((name, i) => names[i] !== name)) return null
  const rest = names.slice(above.length)
  // What lies behind `..` has a name that we are not told.
  return rest.includes('..') ? null : ['', ...rest]
}

function quotaV1(folder: string): number | null {
  const quota = numberIn(`${folder}/cpu.cfs_quota_us`)
  const period = numberIn(`${folder}/cpu.cfs_period_us`)
  return quota !== null && quota > 0 && period ? quota / period : null
}

function quotaV2(folder: string): number | null {
  const match = /^(\d+) (\d+)\s*$/.exec(readRegularOrNull(`${folder}/cpu.max`) ?? '')
  return match && Number(match[2]) > 0 ? Number(match[1]) / Number(match[2]) : null
}

/** v1 writes `no limit` as the largest multiple of a page below 2^63. */
const NO_LIMIT_BYTES = 2 ** 62

function memoryOf(folder: string, isV2: boolean): { limitBytes: number; usedBytes: number | null } | null {
  const limitBytes = numberIn(`${folder}/${isV2 ? 'memory.max' : 'memory.limit_in_bytes'}`)
  if (limitBytes === null || limitBytes >= NO_LIMIT_BYTES) return null
  return { limitBytes, usedBytes: numberIn(`${folder}/${isV2 ? 'memory.current' : 'memory.usage_in_bytes'}`) }
}

function numberIn(path: string): number | null {
  const text = readRegularOrNull(path)?.trim() ?? ''
  return /^-?\d{1,20}$/.test(text) ? Number(text) : null
}
