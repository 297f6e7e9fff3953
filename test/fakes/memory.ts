// Memory made of byte arrays at addresses, and memory with some bytes replaced.
import { type Address, address } from '../../src/memory/address.js'
import { MemoryFault } from '../../src/memory/memory-fault.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import type { Target } from '../../src/target/target.js'

/** Memory that has exactly these stretches. */
export function memoryOf(...stretches: readonly { start: bigint; bytes: Uint8Array }[]): MemorySource {
  return {
    read(at: Address, into: Uint8Array): number {
      const found = stretches.find(({ start, bytes }) => at >= start && at < start + BigInt(bytes.length))
      if (!found) return 0
      const from = Number(at - found.start)
      const part = found.bytes.subarray(from, from + into.length)
      into.set(part)
      return part.length
    },
    fault: (at: Address) => new MemoryFault(at, 'unmapped'),
  }
}

/** `target` with `words` (64-bit, little-endian) written over its memory; null makes the 8 bytes there unreadable. */
export function patched(target: Target, words: ReadonlyMap<bigint, bigint | null>): Target {
  const memory: MemorySource = {
    read(at: Address, into: Uint8Array): number {
      let got = target.memory.read(at, into)
      for (const [place, value] of words) {
        const offset = Number(place - at)
        if (value === null) {
          if (offset < got && offset + 8 > 0) got = Math.max(0, offset)
          continue
        }
        for (let byte = 0; byte < 8; byte++) {
          const index = offset + byte
          if (index >= 0 && index < got) into[index] = Number((value >> BigInt(8 * byte)) & 0xffn)
        }
      }
      return got
    },
    fault: (at: Address) =>
      words.get(at) === null ? new MemoryFault(address(at), 'unsaved') : target.memory.fault(at),
  }
  return new Proxy(target, {
    get: (real, name) => {
      if (name === 'memory') return memory
      const value = Reflect.get(real, name, real) as unknown
      return typeof value === 'function' ? (value.bind(real) as unknown) : value
    },
  })
}
