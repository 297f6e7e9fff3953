// ELF files that a running process maps.
import { type Address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { memoryBytes } from '../elf/byte-source.js'
import { type ElfImage, readElfImage } from '../elf/elf-image.js'
import type { Module } from '../target.js'
import { findModuleFile } from './module-file.js'
import { readLinkOrNull } from './proc-file.js'
import { type MapsRegion, withoutDeleted } from './proc-maps.js'

/** What `readModules` needs to know of the process. */
export interface ModuleContext {
  readonly pid: number
  readonly pageBytes: number
  readonly memory: MemorySource
  readonly regions: readonly MapsRegion[]
  /** AT_PHDR; null when unknown. */
  readonly programHeaders: bigint | null
}

/**
 * Modules by address: mappings of a file's beginning that hold an ELF header, and are loaded as an image, not just read
 * as data. The program is the file of /proc/PID/exe, or where that cannot be read the one that holds AT_PHDR.
 */
export function readModules(context: ModuleContext): Module[] {
  const exe = readLinkOrNull(`/proc/${context.pid}/exe`)
  const modules: Module[] = []
  const files = new Map<string, MapsRegion[]>()
  for (const region of context.regions) {
    if (region.path === null || !region.path.startsWith('/')) continue
    const key = `${region.device} ${region.inode}`
    const mappings = files.get(key)
    if (mappings) mappings.push(region)
    else files.set(key, [region])
  }
  for (const mappings of files.values()) {
    for (const first of mappings) {
      if (first.fileOffset !== 0n || !first.permissions.read) continue
      const module = moduleAt(context, first, mappings, exe)
      if (module) modules.push(module)
    }
  }
  return modules.sort((a, b) => (a.base < b.base ? -1 : 1))
}

function moduleAt(
  context: ModuleContext,
  first: MapsRegion,
  mappings: readonly MapsRegion[],
  exe: string | null,
): Module | null {
  const image = readElfImage(memoryBytes(context.memory, first.start), 'memory', context.pageBytes)
  if (image === null || image.loads.length === 0) return null
  const end = offset(first.start, image.highest - image.lowest)
  if (!isLoaded(first, mappings, end)) return null
  const { programHeaders: at } = context
  const isProgram = exe === null ? at !== null && at >= first.start && at < end : exe === first.path
  return {
    path: withoutDeleted(first.path!),
    base: first.start,
    loadBias: biasOf(first.start, image),
    buildId: image.buildId,
    ...findModuleFile(context.pid, first, image.buildId, isProgram),
    isProgram,
  }
}

/** An image has several mappings of its file, or executes its only one; a file mapped as data has neither. */
function isLoaded(first: MapsRegion, mappings: readonly MapsRegion[], end: Address): boolean {
  const inside = mappings.filter((mapping) => mapping.start >= first.start && mapping.start < end)
  return inside.length > 1 || first.permissions.execute
}

function biasOf(base: Address, image: ElfImage): bigint {
  return base - BigInt(image.lowest)
}
