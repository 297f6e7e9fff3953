// Where this machine can open the file that a running process has mapped.
import { type BigIntStats, statSync } from 'node:fs'
import { buildIdOfFile } from '../elf/build-id.js'
import { hasElfMagic } from '../elf/elf-header.js'
import { errnoOf, readHeadOrNull } from './proc-file.js'
import { type MapsRegion, withoutDeleted } from './proc-maps.js'

/** A path that opens the mapped file, or why there is none. */
export type ModuleFile =
  | { readonly file: string; readonly fileProblem: null }
  | { readonly file: null; readonly fileProblem: string }

/**
 * The file behind a mapping: its path here or in the process's own root, if that is still the same file (inode, or
 * build-id where the file system shows other inodes); else the kernel's links to it, which need CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE, except the program's own.
 */
export function findModuleFile(
  pid: number,
  region: MapsRegion,
  buildId: string | null,
  isProgram: boolean,
): ModuleFile {
  const path = withoutDeleted(region.path!)
  let problem = 'no such file here: deleted, or replaced under another name'
  for (const candidate of [path, `/proc/${pid}/root${path}`]) {
    const stat = statOrNull(candidate)
    if (stat === null) continue
    const verdict = compare(candidate, stat, region, buildId)
    if (verdict === 'same') return { file: candidate, fileProblem: null }
    problem = verdict
  }
  const links = [`/proc/${pid}/map_files/${region.start.toString(16)}-${region.end.toString(16)}`]
  if (isProgram) links.unshift(`/proc/${pid}/exe`)
  for (const link of links) {
    const head = readHeadOrNull(link, 4)
    if (head !== null && hasElfMagic(head)) return { file: link, fileProblem: null }
  }
  return { file: null, fileProblem: problem }
}

function compare(
  candidate: string,
  stat: BigIntStats,
  region: MapsRegion,
  buildId: string | null,
): 'same' | string {
  const sameInode = stat.ino === region.inode && deviceText(stat.dev) === region.device
  const onDisk = buildId === null ? null : buildIdOfFile(candidate)
  if (onDisk !== null && onDisk !== buildId)
    return 'build-id differs: the file was replaced since it was mapped'
  if (sameInode || onDisk !== null) return 'same'
  return 'another file is under this path now, and no build-id tells that it is equal'
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
