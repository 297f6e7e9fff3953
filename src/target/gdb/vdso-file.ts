// The kernel's vdso as a file, which gdb needs to name its functions: it is mapped in every process and is no file.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Address, hex } from '../../memory/address.js'
import { MemoryFault } from '../../memory/memory-fault.js'
import { readExactly } from '../../memory/memory-source.js'
import { sizeOf } from '../../memory/region.js'
import type { Target } from '../target.js'
import { ScratchFolder } from './scratch-folder.js'

const MAX_BYTES = 1 << 20

export interface VdsoFile {
  readonly path: string
  readonly base: Address
  /** Removes the file. */
  remove(): void
}

/** Copies the target's vdso into a file; null when the target has none that can be read. */
export function copyVdso(target: Pick<Target, 'regions' | 'memory'>): VdsoFile | null {
  const region = target.regions().find((candidate) => candidate.path === '[vdso]')
  if (!region || sizeOf(region) > MAX_BYTES) return null
  let bytes: Uint8Array
  try {
    bytes = readExactly(target.memory, region.start, sizeOf(region))
  } catch (error) {
    if (error instanceof MemoryFault) return null
    throw error
  }
  const folder = new ScratchFolder()
  const path = join(folder.path, `vdso-${hex(region.start)}.so`)
  writeFileSync(path, bytes)
  return { path, base: region.start, remove: () => folder.remove() }
}
