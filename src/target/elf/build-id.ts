// GNU build-ids of files and of images mapped in a target.
import { closeSync, constants, openSync, statSync } from 'node:fs'
import type { Address } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { fileBytes, memoryBytes } from './byte-source.js'
import { readElfImage } from './elf-image.js'
import { isNodeError } from './node-error.js'

/** Lower-case hex; null when the file cannot be opened, is not a little-endian ELF, or has no build-id. */
export function buildIdOfFile(path: string): string | null {
  let fd: number | null = null
  try {
    if (!statSync(path).isFile()) return null
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    return readElfImage(fileBytes(fd), 'file')?.buildId ?? null
  } catch (error) {
    if (isNodeError(error)) return null
    throw error
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

/**
 * Lower-case hex of the image whose ELF header is mapped at `base`; null when there is no ELF header, its notes
 * are not readable, or it has no build-id.
 */
export function buildIdInMemory(memory: MemorySource, base: Address, pageBytes = 4096): string | null {
  return readElfImage(memoryBytes(memory, base), 'memory', pageBytes)?.buildId ?? null
}
