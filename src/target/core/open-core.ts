// Opens a core file as a target.
import { closeSync, statSync } from 'node:fs'
import { type ByteSource, fileBytes } from '../elf/byte-source.js'
import { ELF, type ElfHeader } from '../elf/elf-header.js'
import { isNodeError } from '../elf/node-error.js'
import { programHeaderMinimum, programHeaders } from '../elf/program-headers.js'
import { sectionHeaders } from '../elf/section-headers.js'
import { type Target, TargetError } from '../target.js'
import { readCoreNotes } from './core-notes.js'
import { CoreTarget } from './core-target.js'
import type { FileOptions } from './modules.js'
import { openCoreFile, type RecognisedCore } from './recognise.js'
import { readSegments } from './segments.js'

/** Far above any process: vm.max_map_count is 65,530 unless raised. */
const MAX_SEGMENTS = 1 << 22

/** How a core is opened. */
export interface CoreOptions extends FileOptions {
  /** What the user calls it; `path` by default. */
  readonly label?: string
  /** What is already known to be wrong with it, in sentences. */
  readonly problems?: readonly string[]
  /** The file was unpacked, so that its holes say nothing but zeros. */
  readonly unpacked?: boolean
  /** Called once when the target is closed. */
  readonly onClose?: () => void
}

/**
 * The core at `path`, from the kernel or from gdb's gcore. `program`: the executable's file on this machine;
 * `sysroot`: a folder that holds the target's files. Throws TargetError when it is not a core that can be read;
 * damage of a core that can be read is in `problems`.
 */
export function openCore(path: string, options: CoreOptions = {}): Target {
  if (options.program !== undefined) checkProgram(options.program)
  const label = options.label ?? path
  const core = openCoreFile(path)
  try {
    return openRecognised(label, core, options)
  } catch (error) {
    closeSync(core.fd)
    if (!isNodeError(error)) throw error
    throw new TargetError(`${label} cannot be read (${error.code})`, 'check the file and the disk it is on')
  }
}

function openRecognised(path: string, core: RecognisedCore, options: CoreOptions): Target {
  const source = fileBytes(core.fd)
  const problems: string[] = [...(options.problems ?? [])]
  const count = segmentCount(source, core.header, problems)
  const table = core.header.programHeadersAt + count * core.header.programHeaderBytes
  if (count > MAX_SEGMENTS) {
    throw new TargetError(`${path} claims ${count} segments, more than any process has`, 'copy it again')
  }
  if (table > core.sizeBytes) {
    throw new TargetError(
      `${path} is cut inside its headers: it ends at ${core.sizeBytes} bytes, its list of segments at ${table}`,
      'nothing of it can be read; copy it again, or make room on the disk and take a new one',
    )
  }
  const reading = readSegments(programHeaders(source, core.header, count), count, core.sizeBytes)
  if (reading.segments.seen === 0) {
    throw new TargetError(`${path} is a core without memory: it has no PT_LOAD segment`, 'take a new core')
  }
  const notes = readCoreNotes(source, reading.noteRanges, core.layout)
  problems.push(...reading.problems, ...notes.problems)
  return new CoreTarget({ path, core, segments: reading.segments, notes, problems, options })
}

/** e_phnum, or where that is PN_XNUM sh_info of section 0; its place in a cut file is inferred. */
function segmentCount(source: ByteSource, header: ElfHeader, problems: string[]): number {
  if (header.programHeaderCount !== ELF.PN_XNUM) return header.programHeaderCount
  for (const section of sectionHeaders(source, header, 1)) return section.info
  // The kernel writes the notes straight after the program headers, and their header first.
  for (const first of programHeaders(source, header, 1)) {
    const count = (first.fileOffset - header.programHeadersAt) / programHeaderMinimum(header)
    if (first.type !== ELF.PT_NOTE || !Number.isInteger(count) || count > MAX_SEGMENTS) break
    let loads = 0
    for (const p of programHeaders(source, header, count)) if (p.type === ELF.PT_LOAD) loads++
    if (loads !== count - 1 || count < ELF.PN_XNUM) break
    problems.push('the true number of segments is cut off; it is inferred from where the notes begin')
    return count
  }
  problems.push(`the true number of segments is cut off; only the first ${ELF.PN_XNUM} are read`)
  return ELF.PN_XNUM
}

function checkProgram(path: string): void {
  try {
    if (statSync(path).isFile()) return
  } catch (error) {
    if (!isNodeError(error)) throw error
    throw new TargetError(`the program ${path} cannot be read (${error.code})`, 'check the PROGRAM argument')
  }
  throw new TargetError(`the program ${path} is not a regular file`, 'check the PROGRAM argument')
}
