// Finds on this machine the file that a target mapped, and says why not.
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { fileBytes } from '../elf/byte-source.js'
import { ELF } from '../elf/elf-header.js'
import { type ElfImage, readElfImage } from '../elf/elf-image.js'
import { isNodeError } from '../elf/node-error.js'
import { sectionHeaders } from '../elf/section-headers.js'

/**
 * A path to try. `given`: the user named it for this module, so that without build-ids it is believed; `checked`: it
 * is taken when the build-ids agree or neither side has one; `same build-id`: only when they agree.
 */
export interface Candidate {
  readonly path: string
  readonly trust: 'given' | 'checked' | 'same build-id'
}

/** A file whose bytes stand for the module's unsaved memory. */
export interface Backing {
  readonly path: string
  readonly image: ElfImage
  readonly sizeBytes: number
}

/** The outcome of matchFile. */
export interface FileMatch {
  readonly file: string | null
  /** Why `file` is null. */
  readonly problem: string | null
  /** Null when no candidate's bytes are sure to be what was mapped; e.g. a debug-only file has none. */
  readonly backing: Backing | null
  /** The first candidate the user gave that is another file, as a sentence; null when there is none. */
  readonly refused: string | null
}

/** Compares the image in the target (null when its header was not saved) with each candidate in turn. */
export function matchFile(inTarget: ElfImage | null, candidates: readonly Candidate[]): FileMatch {
  let file: string | null = null
  let backing: Backing | null = null
  let problem: string | null = null
  let refused: string | null = null
  for (const candidate of candidates) {
    const opened = openElf(candidate.path)
    const against = typeof opened === 'string' ? opened : difference(inTarget, opened.image, candidate.trust)
    if (against !== null) {
      if (problem === null || problem === ABSENT) problem = against
      if (candidate.trust === 'given') refused ??= `${candidate.path} is not used: ${against}`
      continue
    }
    if (typeof opened === 'string') continue
    file ??= candidate.path
    if (!opened.debugOnly && sameBytes(inTarget, opened.image, candidate.trust === 'given')) {
      backing = { path: candidate.path, image: opened.image, sizeBytes: opened.sizeBytes }
      break
    }
  }
  return { file, problem: file === null ? (problem ?? ABSENT) : null, backing, refused }
}

const ABSENT = 'no such file here'

interface Opened {
  readonly image: ElfImage
  readonly sizeBytes: number
  readonly debugOnly: boolean
}

/** The ELF file at `path`, or why it is none. */
function openElf(path: string): Opened | string {
  let fd: number | null = null
  try {
    if (!statSync(path).isFile()) return 'not a regular file'
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const source = fileBytes(fd)
    const image = readElfImage(source, 'file')
    if (!image) return 'not an ELF file of this byte order'
    let debugOnly = false
    for (const section of sectionHeaders(source, image.header)) {
      if (section.type === ELF.SHT_NOBITS && section.flags & ELF.SHF_EXECINSTR) debugOnly = true
    }
    return { image, sizeBytes: fstatSync(fd).size, debugOnly }
  } catch (error) {
    if (!isNodeError(error)) throw error
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return ABSENT
    return error.code === 'EACCES' ? 'no permission to read it' : `it cannot be read (${error.code})`
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

/** Why `file` is not the file of `inTarget`; null when it is. */
function difference(inTarget: ElfImage | null, file: ElfImage, trust: Candidate['trust']): string | null {
  if (inTarget && inTarget.header.machine !== file.header.machine) return 'it is for another machine'
  if (inTarget?.buildId) {
    if (inTarget.buildId === file.buildId) return null
    return `build-id differs: core ${inTarget.buildId}, file ${file.buildId ?? 'has none'}`
  }
  if (!inTarget || inTarget.buildIdUnread) {
    return trust === 'given' ? null : 'the core did not save the build-id to compare with'
  }
  if (file.buildId) return `build-id differs: core has none, file ${file.buildId}`
  return trust === 'same build-id' ? 'neither side has a build-id to compare' : null
}

/** Whether the file's segments are what was mapped: build-ids agree or the user vouches, and the headers agree. */
function sameBytes(inTarget: ElfImage | null, file: ElfImage, given: boolean): boolean {
  if (!given && (!inTarget?.buildId || inTarget.buildId !== file.buildId)) return false
  if (!inTarget) return true
  return JSON.stringify(inTarget.loads) === JSON.stringify(file.loads)
}
