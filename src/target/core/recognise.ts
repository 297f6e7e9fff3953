// Is this file a core? If not, what is it, and what should the user do.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { ELF, ELF_HEADER_BYTES, type ElfHeader, hasElfMagic, parseElfHeader } from '../elf/elf-header.js'
import { isNodeError } from '../elf/node-error.js'
import { programHeaderMinimum } from '../elf/program-headers.js'
import { TargetError } from '../target.js'
import { packedFormat } from '../unpack/packed-format.js'
import { type NoteLayout, noteLayout } from './note-layouts.js'

/** An open core file whose header is one this program can read. */
export interface RecognisedCore {
  readonly fd: number
  readonly sizeBytes: number
  readonly header: ElfHeader
  readonly layout: NoteLayout
}

const GET_A_CORE =
  'a core of a running process is made with `gcore PID`; without one: `arena-inspect --pid PID`'

const MACHINES = new Map([
  [2, 'SPARC'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, 'PowerPC 64'],
  [22, 's390'],
  [40, '32-bit ARM'],
  [50, 'IA-64'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
])

/** Opens `path` for reading; throws TargetError when it is not a core that can be read. The caller closes `fd`. */
export function openCoreFile(path: string): RecognisedCore {
  const fd = open(path)
  try {
    const stat = fstatSync(fd)
    if (stat.isDirectory()) throw new TargetError(`${path} is a folder, not a core file`, GET_A_CORE)
    if (!stat.isFile()) {
      const hint = 'copy it to a file first: a core is read at any place, not from start to end'
      throw new TargetError(`${path} is not a regular file`, hint)
    }
    const head = new Uint8Array(ELF_HEADER_BYTES)
    const bytes = head.subarray(0, readSync(fd, head, 0, head.length, 0))
    return { fd, sizeBytes: stat.size, ...recogniseCore(path, bytes) }
  } catch (error) {
    closeSync(fd)
    throw isNodeError(error) ? unreadable(path, error) : error
  }
}

/** The header and note layout of a file that begins with `bytes`; throws TargetError, about `path`. */
export function recogniseCore(path: string, bytes: Uint8Array): { header: ElfHeader; layout: NoteLayout } {
  if (bytes.length === 0) {
    const hint = 'a full disk or a `ulimit -c` of 0 leaves empty cores; see `man 5 core`'
    throw new TargetError(`${path} is empty`, hint)
  }
  if (!hasElfMagic(bytes)) throw notElf(path, bytes)
  const header = parseElfHeader(bytes)
  if (!header) {
    const cut = bytes.length < ELF_HEADER_BYTES
    const what = cut
      ? `is cut inside its ELF header: it has ${bytes.length} bytes`
      : 'has a damaged ELF header'
    throw new TargetError(`${path} ${what}`, 'copy it again from where it was written, and compare the sizes')
  }
  if (header.type !== ELF.ET_CORE) {
    const kind =
      header.type === ELF.ET_EXEC || header.type === ELF.ET_DYN ? 'a program or library' : 'an ELF file'
    const hint = `give its core: \`arena-inspect CORE ${path}\`; ${GET_A_CORE}`
    throw new TargetError(`${path} is ${kind}, not a core file`, hint)
  }
  const elsewhere = 'run arena-inspect on x86_64 or aarch64 cores'
  if (!header.littleEndian) {
    throw new TargetError(`${path} is a core of a big-endian machine, which is not supported`, elsewhere)
  }
  const layout = noteLayout(header.machine, header.wordBytes)
  if (!layout) {
    const name = MACHINES.get(header.machine) ?? `machine ${header.machine}`
    const bits = header.wordBytes * 8
    throw new TargetError(`${path} is a ${bits}-bit core of ${name}, which is not supported`, elsewhere)
  }
  if (header.programHeaderCount > 0 && header.programHeaderBytes < programHeaderMinimum(header)) {
    throw new TargetError(`${path} has a damaged ELF header`, 'copy it again from where it was written')
  }
  return { header, layout }
}

function notElf(path: string, bytes: Uint8Array): TargetError {
  const packed = packedFormat(bytes)
  if (packed) {
    const hint = `unpack it first: \`${packed.command} ${path}\``
    return new TargetError(`${path} is compressed with ${packed.name}`, hint)
  }
  const begin = bytes.subarray(0, 16)
  const printable = begin.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13,
  )
  const shown = printable
    ? JSON.stringify(String.fromCharCode(...begin))
    : [...begin.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return new TargetError(`${path} is not a core file (it begins with ${shown})`, GET_A_CORE)
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw isNodeError(error) ? unreadable(path, error) : error
  }
}

function unreadable(path: string, error: NodeJS.ErrnoException): TargetError {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new TargetError(`${path}: no such file`, GET_A_CORE)
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new TargetError(
      `${path}: no permission to read it`,
      'read it as its owner or as root; cores are mode 0600',
    )
  }
  return new TargetError(`${path} cannot be read (${error.code})`, 'check the file and the disk it is on')
}
