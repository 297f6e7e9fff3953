// The address space of a core: its PT_LOADs, named by the list of mapped files.
import type { Permissions, Region } from '../../memory/region.js'
import { ELF } from '../elf/elf-header.js'
import { addressOf, keyOf } from './address-key.js'
import type { FileMapping } from './file-mappings.js'
import type { CoreModule } from './modules.js'
import { RunTable } from './run-table.js'
import type { Segments } from './segments.js'

/** What gives regions their names. */
export interface RegionNames {
  readonly files: readonly FileMapping[]
  readonly modules: readonly CoreModule[]
  readonly pageBytes: number
  /** AT_SYSINFO_EHDR. */
  readonly vdso: bigint | null
  /** An address in the main thread's stack. */
  readonly stack: bigint | null
}

interface Piece {
  readonly start: number
  readonly end: number
  readonly flags: number
  readonly file: FileMapping | null
}

const MAX_KERNEL_DATA_PAGES = 8
const VSYSCALL = keyOf(0xffffffffff600000n)

/**
 * Every PT_LOAD, cut where a mapped file begins or ends, and mapped files that no PT_LOAD covers (gdb's gcore leaves
 * them out), whose permissions are those of the ELF segment there, or read-only. `shared` is never known.
 */
export function findRegions(segments: Segments, names: RegionNames): readonly Region[] {
  const table = new RunTable(
    Float64Array.from(names.files, (f) => f.start),
    Float64Array.from(names.files, (f) => f.end),
    new Float64Array(names.files.length),
  )
  const pieces = [...inSegments(segments, names.files, table), ...outsideSegments(segments, names)]
  // Keys of the upper half are negative and come last.
  const upper = (piece: Piece) => (piece.start < 0 ? 1 : 0)
  pieces.sort((a, b) => upper(a) - upper(b) || a.start - b.start)
  const kernel = kernelData(pieces, names)
  const vdso = names.vdso === null ? Number.NaN : keyOf(names.vdso)
  const stack = names.stack === null ? Number.NaN : keyOf(names.stack)
  return pieces.map((piece) => regionOf(piece, vdso, stack, kernel))
}

/** The pages that the kernel shares with its vdso, which it maps right below: read-only, of no file, few. */
function kernelData(pieces: readonly Piece[], names: RegionNames): ReadonlySet<Piece> {
  const found = new Set<Piece>()
  if (names.vdso === null) return found
  const vdso = keyOf(names.vdso)
  let at = vdso
  for (let i = pieces.findIndex((piece) => piece.start === vdso) - 1; i >= 0; i--) {
    const piece = pieces[i]!
    const fits = piece.end === at && vdso - piece.start <= MAX_KERNEL_DATA_PAGES * names.pageBytes
    if (!fits || piece.file || piece.flags !== ELF.PF_R) break
    found.add(piece)
    at = piece.start
  }
  return found
}

function inSegments(segments: Segments, files: readonly FileMapping[], table: RunTable): Piece[] {
  const { ranges } = segments
  const pieces: Piece[] = []
  for (let i = 0; i < ranges.count; i++) {
    const segmentEnd = ranges.ends[i]!
    const flags = segments.flags[i]!
    let at = ranges.starts[i]!
    for (let f = table.firstEndingAfter(at); at < segmentEnd; f++) {
      const file = files[f]
      const gapEnd = Math.min(segmentEnd, file?.start ?? segmentEnd)
      if (at < gapEnd) pieces.push({ start: at, end: gapEnd, flags, file: null })
      at = Math.max(at, gapEnd)
      if (!file || at >= segmentEnd) break
      const end = Math.min(segmentEnd, file.end)
      pieces.push({ start: at, end, flags, file })
      at = end
    }
  }
  return pieces
}

function outsideSegments(segments: Segments, names: RegionNames): Piece[] {
  const { ranges } = segments
  const owners = new Map(names.modules.flatMap((m) => m.mappings.map((mapping) => [mapping, m] as const)))
  const pieces: Piece[] = []
  for (const file of names.files) {
    const add = (start: number, end: number) => {
      if (start < end)
        pieces.push({ start, end, flags: elfFlags(owners.get(file), start, names.pageBytes), file })
    }
    let at = file.start
    for (let i = ranges.firstEndingAfter(at); i < ranges.count && ranges.starts[i]! < file.end; i++) {
      add(at, ranges.starts[i]!)
      at = Math.max(at, Math.min(file.end, ranges.ends[i]!))
    }
    add(at, file.end)
  }
  return pieces
}

function elfFlags(module: CoreModule | undefined, key: number, pageBytes: number): number {
  const image = module?.image ?? module?.backing?.image
  if (!image || module?.loadBias == null) return ELF.PF_R
  const inFile = key - keyOf(BigInt.asUintN(64, module.loadBias))
  const load = image.loads.find((p) => {
    const start = Math.floor(p.virtualAddress / pageBytes) * pageBytes
    return inFile >= start && inFile < p.virtualAddress + p.memoryBytes
  })
  return load ? load.flags & 7 : ELF.PF_R
}

function regionOf(piece: Piece, vdso: number, stack: number, kernel: ReadonlySet<Piece>): Region {
  const holds = (key: number) => key >= piece.start && key < piece.end
  let name: string | null = null
  if (holds(vdso)) name = '[vdso]'
  else if (holds(stack)) name = '[stack]'
  else if (piece.start === VSYSCALL) name = '[vsyscall]'
  else if (kernel.has(piece)) name = '[vvar]'
  const { file } = piece
  return {
    start: addressOf(piece.start),
    end: addressOf(piece.end),
    permissions: permissions(piece.flags),
    fileOffset: file ? BigInt(file.fileOffset + (piece.start - file.start)) : 0n,
    path: file?.path ?? name,
  }
}

function permissions(flags: number): Permissions {
  return {
    read: (flags & ELF.PF_R) !== 0,
    write: (flags & ELF.PF_W) !== 0,
    execute: (flags & ELF.PF_X) !== 0,
    shared: false,
  }
}
