// The ELF files that a core's process had mapped.
import type { MemorySource } from '../../memory/memory-source.js'
import { memoryBytes } from '../elf/byte-source.js'
import { ELF } from '../elf/elf-header.js'
import { type ElfImage, readElfImage } from '../elf/elf-image.js'
import type { Module } from '../target.js'
import { addressOf, keyOf } from './address-key.js'
import { AUXV, type CoreNotes } from './core-notes.js'
import type { FileMapping } from './file-mappings.js'
import { type Backing, type Candidate, matchFile } from './module-file.js'
import type { Segments } from './segments.js'

/** More are left out. */
export const MAX_MODULES = 1 << 14

/** A module with what the target's interface does not show. */
export interface CoreModule extends Module {
  readonly mappings: readonly FileMapping[]
  /** From memory; null when the core did not save the header. */
  readonly image: ElfImage | null
  readonly backing: Backing | null
  /** Why the program the user named is not used, or null. */
  readonly refused: string | null
}

/** What the user said about files on this machine. */
export interface FileOptions {
  readonly program?: string
  readonly sysroot?: string
}

interface Draft {
  readonly mappings: FileMapping[]
  readonly base: number
  readonly image: ElfImage | null
}

/** Modules by rising base; reads ELF headers from `memory` and from files on this machine. */
export function findModules(
  notes: CoreNotes,
  memory: MemorySource,
  segments: Segments,
  pageBytes: number,
  options: FileOptions,
): readonly CoreModule[] {
  const drafts = group(notes.files, memory, pageBytes).filter((draft) => draft.image || runs(draft, segments))
  const program = programOf(drafts, notes.auxv)
  return drafts.map((draft) => finish(draft, draft === program, options, pageBytes))
}

/** Gathers mappings of one file from offset 0 on; a second image of the same file becomes a group of its own. */
function group(files: readonly FileMapping[], memory: MemorySource, pageBytes: number): Draft[] {
  const current = new Map<string, Draft>()
  const drafts: Draft[] = []
  const magic = new Uint8Array(4)
  for (const file of files) {
    const open = current.get(file.path)
    if (open && (file.fileOffset !== 0 || file.start < endOf(open))) {
      open.mappings.push(file)
      continue
    }
    if (file.fileOffset !== 0) continue
    if (drafts.length === MAX_MODULES) break
    const base = addressOf(file.start)
    const image = readElfImage(memoryBytes(memory, base), 'memory', pageBytes)
    if (image === null && memory.read(base, magic) === magic.length) {
      current.delete(file.path)
      continue
    }
    const draft = { mappings: [file], base: file.start, image }
    current.set(file.path, draft)
    drafts.push(draft)
  }
  return drafts
}

function endOf(draft: Draft): number {
  const { image } = draft
  return image && Number.isFinite(image.highest) ? draft.base + image.highest - image.lowest : draft.base
}

/** Whether some of it was mapped to be executed. */
function runs(draft: Draft, segments: Segments): boolean {
  return draft.mappings.some((mapping) => {
    const index = segments.ranges.find(mapping.start)
    return index >= 0 && (segments.flags[index]! & ELF.PF_X) !== 0
  })
}

function programOf(drafts: readonly Draft[], auxv: ReadonlyMap<number, bigint>): Draft | null {
  for (const entry of [AUXV.PHDR, AUXV.ENTRY]) {
    const key = keyOf(auxv.get(entry) ?? 0n)
    const holder = drafts.find((d) => d.mappings.some((m) => key >= m.start && key < m.end))
    if (holder) return holder
  }
  return null
}

function finish(draft: Draft, isProgram: boolean, options: FileOptions, pageBytes: number): CoreModule {
  const path = draft.mappings[0]!.path
  const match = matchFile(draft.image, candidates(path, isProgram, options))
  const image = draft.image ?? (isProgram && options.program ? match.backing?.image : null)
  return {
    path,
    base: addressOf(draft.base),
    loadBias: image ? biasOf(image, draft.base, pageBytes) : null,
    buildId: draft.image?.buildId ?? null,
    file: match.file,
    fileProblem: match.problem,
    isProgram,
    mappings: draft.mappings,
    image: draft.image,
    backing: match.backing,
    refused: match.refused,
  }
}

function biasOf(image: ElfImage, base: number, pageBytes: number): bigint | null {
  if (image.header.type === ELF.ET_EXEC) return 0n
  const lowest = Math.floor(image.lowest / pageBytes) * pageBytes
  return Number.isSafeInteger(base - lowest) ? BigInt(base - lowest) : null
}

function candidates(path: string, isProgram: boolean, options: FileOptions): Candidate[] {
  const here = path.replace(/ \(deleted\)$/, '')
  const list: Candidate[] = []
  if (isProgram && options.program) list.push({ path: options.program, trust: 'given' })
  if (options.sysroot) {
    list.push({ path: `${options.sysroot.replace(/\/+$/, '')}${here}`, trust: 'checked' })
    list.push({ path: here, trust: 'same build-id' })
  } else list.push({ path: here, trust: 'checked' })
  return list
}
