// Where this machine can open the file that a running process has mapped.
import { type BigIntStats, statSync } from 'node:fs'
import { buildIdOfFile } from '../elf/build-id.js'
import { hasElfMagic } from '../elf/elf-header.js'
import { insideRoot } from './inside-root.js'
import { errnoOf, readHeadOrNull, readLinkOrNull } from './proc-file.js'
import { type MapsRegion, withoutDeleted } from './proc-maps.js'

/** A path that opens the mapped file, or why there is none. */
export type ModuleFile =
  | { readonly file: string; readonly fileProblem: null }
  | { readonly file: null; readonly fileProblem: string }

/**
 * The file behind a mapping: its path here, if that is still the same file (inode, or build-id where the file system
 * shows other inodes); else the kernel's links to it, which lead to that very file whatever a path now names, and need
 * CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, except the program's own; else its path in the process's own root. Only
 * regular files are opened: a path in a container may name a FIFO or a device.
 */
export function findModuleFile(
  pid: number,
  region: MapsRegion,
  buildId: string | null,
  isProgram: boolean,
): ModuleFile {
  const path = withoutDeleted(region.path!)
  const here = verdictHere(pid, path, region, buildId)
  if (here === 'same') return { file: path, fileProblem: null }
  const links = [`/proc/${pid}/map_files/${region.start.toString(16)}-${region.end.toString(16)}`]
  if (isProgram) links.unshift(`/proc/${pid}/exe`)
  let unread = false
  for (const link of links) {
    const head = readHeadOrNull(link, 4)
    if (head === null) unread = true
    else if (hasElfMagic(head)) return { file: link, fileProblem: null }
  }
  const inside = insideRoot(`/proc/${pid}/root`, path)
  const there = inside === null ? null : verdictOn(inside, region, buildId)
  if (there === 'same') return { file: inside!, fileProblem: null }
  const why = there ?? here ?? 'no such file here: deleted, or replaced under another name'
  const remedy = unread ? ' (root could read it through /proc/PID/map_files)' : ''
  return { file: null, fileProblem: `${why}${remedy}` }
}

/** As `verdictOn`; where the process has other mounts, only the very same file counts: another of its path is ours. */
function verdictHere(pid: number, path: string, region: MapsRegion, buildId: string | null): string | null {
  const mounts = readLinkOrNull(`/proc/${pid}/ns/mnt`)
  if (mounts !== readLinkOrNull('/proc/self/ns/mnt')) {
    const stat = statOrNull(path)
    if (stat === null || !isSameInode(stat, region)) return null
  }
  return verdictOn(path, region, buildId)
}

/** 'same', what is wrong with it, or null when there is no such file. */
function verdictOn(candidate: string, region: MapsRegion, buildId: string | null): string | null {
  const stat = statOrNull(candidate)
  if (stat === null) return null
  return stat.isFile() ? compare(candidate, stat, region, buildId) : 'no regular file is under this path now'
}

function compare(candidate: string, stat: BigIntStats, region: MapsRegion, buildId: string | null): string {
  const onDisk = buildId === null ? null : buildIdOfFile(candidate)
  if (onDisk !== null && onDisk !== buildId)
    return 'build-id differs: the file was replaced since it was mapped'
  if (isSameInode(stat, region) || onDisk !== null) return 'same'
  return 'another file is under this path now, and no build-id tells that it is equal'
}

function isSameInode(stat: BigIntStats, region: MapsRegion): boolean {
  return stat.ino === region.inode && deviceText(stat.dev) === region.device
}

/** A device number as /proc/PID/maps prints it (major and minor as in glibc's gnu_dev_major, gnu_dev_minor). */
function deviceText(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n)
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`
}

function statOrNull(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true })
  } catch (error) {
    errnoOf(error)
    return null
  }
}
