// Bytes by position: a file, or the part of a target's memory that an ELF image is mapped to.
import { readSync } from 'node:fs'
import { type Address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'

/** Random access by position. `read` fills `into` and returns the valid bytes: fewer only where bytes are missing. */
export interface ByteSource {
  read(position: number, into: Uint8Array): number
}

const CHUNK = 1 << 30

/** The bytes of an open file; throws the ErrnoException of a read that fails. */
export function fileBytes(fd: number): ByteSource {
  return {
    read(position, into) {
      let done = 0
      while (done < into.length) {
        const got = readSync(fd, into, done, Math.min(into.length - done, CHUNK), position + done)
        if (got === 0) break
        done += got
      }
      return done
    },
  }
}

/** The bytes of a target's memory, counted from `base`. */
export function memoryBytes(memory: MemorySource, base: Address): ByteSource {
  return { read: (position, into) => memory.read(offset(base, position), into) }
}

/** `source` behind one window of `windowBytes`, for many small reads in rising order. */
export function buffered(source: ByteSource, windowBytes = 1 << 16): ByteSource {
  const window = new Uint8Array(windowBytes)
  let start = 0
  let length = 0
  return {
    read(position, into) {
      if (into.length > windowBytes) return source.read(position, into)
      if (position < start || position + into.length > start + length) {
        start = position
        length = source.read(position, window)
      }
      const valid = Math.max(0, Math.min(into.length, start + length - position))
      into.set(window.subarray(position - start, position - start + valid))
      return valid
    },
  }
}
