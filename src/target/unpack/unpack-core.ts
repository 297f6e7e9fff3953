// A compressed core as a file that can be read at any place.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { recogniseCore } from '../core/recognise.js'
import { ELF_HEADER_BYTES } from '../elf/elf-header.js'
import { isNodeError } from '../elf/node-error.js'
import { TargetError } from '../target.js'
import { type PackedFormat, packedFormat } from './packed-format.js'
import { promisedSize } from './promised-size.js'
import { SparseFile } from './sparse-file.js'
import { type Archive, DamagedArchive, unpackedBytes, unsupported } from './unpacked-bytes.js'

/** Told while a core is unpacked: packed bytes read, of all. Awaited, so that it can let other work run. */
export type UnpackProgress = (done: number, total: number) => void | Promise<void>

/** An unpacked core; the caller closes `file`. */
export interface UnpackedCore {
  readonly file: SparseFile
  /** What is wrong with the archive, in sentences. */
  readonly problems: readonly string[]
}

const PROGRESS_BYTES = 16 << 20
const HEAD_BYTES = 18

/**
 * Unpacks the core at `path` into a private file in TMPDIR. Null when the file is not compressed or cannot be opened
 * (who opens it then says why). Throws TargetError: not a core inside, no room, no program to unpack it. An archive
 * that is cut gives what could be unpacked, and says so.
 */
export async function unpackCore(
  path: string,
  progress: UnpackProgress = () => {},
): Promise<UnpackedCore | null> {
  const opened = openArchive(path)
  if (!opened) return null
  const { archive, format } = opened
  try {
    if (format.name === 'bzip2') throw unsupported(archive, format)
    return await unpack(archive, format, progress)
  } finally {
    closeSync(archive.fd)
  }
}

function openArchive(path: string): { archive: Archive; format: PackedFormat } | null {
  let fd: number | null = null
  let format: PackedFormat | null = null
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(fd)
    if (!stat.isFile()) return null
    const head = new Uint8Array(HEAD_BYTES)
    format = packedFormat(head.subarray(0, readSync(fd, head, 0, head.length, 0)))
    return format && { archive: { fd, path, sizeBytes: stat.size }, format }
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  } finally {
    if (fd !== null && !format) closeSync(fd)
  }
}

async function unpack(
  archive: Archive,
  format: PackedFormat,
  progress: UnpackProgress,
): Promise<UnpackedCore> {
  const promised = promisedSize(archive.fd, archive.sizeBytes, format)
  const file = makeFile(archive)
  try {
    const free = file.freeBytes()
    if (promised !== null && free !== null && promised > free) throw noRoom(archive, file, promised)
    const problems: string[] = []
    try {
      await fill(file, archive, format, progress)
    } catch (error) {
      if (isNodeError(error) && error.code === 'ENOSPC') throw noRoom(archive, file, promised)
      if (!(error instanceof DamagedArchive)) throw error
      problems.push(damage(archive, file, error))
    }
    if (file.length < ELF_HEADER_BYTES) {
      throw new TargetError(
        problems[0] ?? `${archive.path}, unpacked, is no core file: it has ${file.length} bytes`,
        'copy it again from where it was written, and compare the sizes',
      )
    }
    file.finish()
    return { file, problems }
  } catch (error) {
    file.close()
    throw error
  }
}

async function fill(
  file: SparseFile,
  archive: Archive,
  format: PackedFormat,
  progress: UnpackProgress,
): Promise<void> {
  let consumed = 0
  let told = 0
  let head: Uint8Array = new Uint8Array()
  const note = (bytes: number) => {
    consumed = Math.min(bytes, archive.sizeBytes)
  }
  for await (const chunk of unpackedBytes(archive, format, note)) {
    if (head.length < ELF_HEADER_BYTES) {
      head = Buffer.concat([head, chunk.subarray(0, ELF_HEADER_BYTES - head.length)])
      if (head.length === ELF_HEADER_BYTES) recogniseCore(`${archive.path}, unpacked,`, head)
    }
    file.append(chunk)
    if (file.length - told < PROGRESS_BYTES) continue
    told = file.length
    await progress(consumed, archive.sizeBytes)
  }
}

function makeFile(archive: Archive): SparseFile {
  try {
    return new SparseFile()
  } catch (error) {
    if (!isNodeError(error)) throw error
    const what = `${archive.path} cannot be unpacked: a temporary file cannot be made (${error.code})`
    throw new TargetError(what, 'set TMPDIR to a folder that can be written to and has room for the core')
  }
}

function noRoom(archive: Archive, file: SparseFile, promised: number | null): TargetError {
  const needs = promised === null ? '' : `, it needs ${promised} bytes or more`
  const done = file.length > 0 ? `, ${file.length} bytes were unpacked` : ''
  const free = `${file.freeBytes() ?? 'an unknown number of'} bytes are free`
  return new TargetError(
    `no room in ${file.folder} to unpack ${archive.path}${needs}${done}, ${free}`,
    'set TMPDIR to a folder with room, or unpack it elsewhere',
  )
}

function damage(archive: Archive, file: SparseFile, { message }: DamagedArchive): string {
  const got =
    file.length < ELF_HEADER_BYTES
      ? `no more than ${file.length} bytes could be unpacked`
      : `${file.length} bytes were unpacked before that; copy it again from where it was written, and compare the sizes`
  return `${archive.path} is cut or damaged (${message}): ${got}`
}
