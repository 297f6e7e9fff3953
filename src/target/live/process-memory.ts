// Bytes of a running process by /proc/PID/mem: no stop, no attach, no writing.
import { closeSync, openSync, readSync } from 'node:fs'
import type { Address } from '../../memory/address.js'
import { MemoryFault } from '../../memory/memory-fault.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { type Region, regionAt } from '../../memory/region.js'
import { TargetError } from '../target.js'
import { errnoOf } from './proc-file.js'
import type { MapsRegion } from './proc-maps.js'

/** File positions are signed: what lies above is not user memory on any machine we read. */
const LAST_POSITION = 2n ** 63n - 1n
/** One system call's share; /proc/PID/mem copies page by page anyway. */
const BLOCK_BYTES = 64 * 2 ** 20
/** A map older than this is read again before it is believed that memory has no permissions… */
const MAP_AGE_MS = 50
/** …or than this many times what reading it took: a map of 65,000 lines takes half a second. */
const MAP_AGE_COSTS = 20

/** The process's address space is gone: it ended, or started another program. */
export function goneError(pid: number): TargetError {
  return new TargetError(
    `process ${pid} has ended or started another program`,
    'look for its successor with `pgrep -a NAME`',
  )
}

/**
 * Memory of one process. A mapping without any permission (`---p`: reserved arena space, guards) reads as a fault
 * of kind `io`: the kernel would hand out zero pages for it here, which the process itself can never read.
 * Untouched readable memory reads as zeros, as it does for the process.
 * Reads and faults throw TargetError when the process is gone.
 */
export class ProcessMemory implements MemorySource {
  readonly #pid: number
  readonly #fd: number
  readonly #readMaps: () => readonly MapsRegion[]
  #regions: readonly MapsRegion[] = []
  #forbidden: readonly Region[] = []
  #regionsReadAt = Number.NEGATIVE_INFINITY
  #maxAgeMs = MAP_AGE_MS

  /** `readMaps` reads the mappings of the process that now has the number `pid`. Throws the errno error of the open. */
  constructor(pid: number, readMaps: () => readonly MapsRegion[]) {
    this.#pid = pid
    this.#readMaps = readMaps
    this.#fd = openSync(`/proc/${pid}/mem`, 'r')
  }

  read(address: Address, into: Uint8Array): number {
    const wanted = this.#readable(address, into.length)
    let got = 0
    while (got < wanted) {
      const count = this.#readSome(address + BigInt(got), into, got, Math.min(BLOCK_BYTES, wanted - got))
      if (count === 0) break
      got += count
    }
    return got
  }

  fault(address: Address): MemoryFault {
    let region = regionAt(this.#regions, address)
    if (region === null || !isForbidden(region)) {
      if (performance.now() - this.#regionsReadAt >= this.#maxAgeMs || region !== null) this.#refreshRegions()
      region = regionAt(this.#regions, address)
    }
    if (region === null) return new MemoryFault(address, 'unmapped')
    if (isForbidden(region)) return new MemoryFault(address, 'io', 'mapped without any access permission')
    return new MemoryFault(address, 'io', region.path ?? 'a guard page, or a page the kernel will not show')
  }

  /** True while the address space that was opened still exists. */
  isAlive(): boolean {
    const byte = new Uint8Array(1)
    try {
      return readSync(this.#fd, byte, 0, 1, 0n) > 0
    } catch (error) {
      const code = errnoOf(error)
      return code === 'EIO' || code === 'EFAULT'
    }
  }

  /** The mappings as of now; throws TargetError when they would be those of a successor under the same number. */
  readRegions(): readonly MapsRegion[] {
    const regions = this.#readMaps()
    if (!this.isAlive()) throw goneError(this.#pid)
    return regions
  }

  close(): void {
    closeSync(this.#fd)
  }

  #readSome(position: bigint, into: Uint8Array, from: number, length: number): number {
    if (position > LAST_POSITION - BigInt(length)) return 0
    try {
      const count = readSync(this.#fd, into, from, length, position)
      if (count === 0) throw goneError(this.#pid)
      return count
    } catch (error) {
      if (error instanceof TargetError) throw error
      const code = errnoOf(error)
      if (code === 'EIO' || code === 'EFAULT') return 0
      if (code === 'ESRCH') throw goneError(this.#pid)
      throw error
    }
  }

  /** How many of `length` bytes from `address` on lie before the next mapping without permissions. */
  #readable(address: Address, length: number): number {
    const first = this.#beforeForbidden(address, length)
    if (first === length || performance.now() - this.#regionsReadAt < this.#maxAgeMs) return first
    this.#refreshRegions()
    return this.#beforeForbidden(address, length)
  }

  #beforeForbidden(address: Address, length: number): number {
    if (this.#regionsReadAt === Number.NEGATIVE_INFINITY) this.#refreshRegions()
    let low = 0
    let high = this.#forbidden.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#forbidden[middle]!.end <= address) low = middle + 1
      else high = middle
    }
    const next = this.#forbidden[low]
    if (!next || next.start >= address + BigInt(length)) return length
    return next.start <= address ? 0 : Number(next.start - address)
  }

  #refreshRegions(): void {
    const began = performance.now()
    this.#regions = this.readRegions()
    this.#forbidden = this.#regions.filter(isForbidden)
    this.#regionsReadAt = performance.now()
    this.#maxAgeMs = Math.max(MAP_AGE_MS, MAP_AGE_COSTS * (this.#regionsReadAt - began))
  }
}

function isForbidden({ permissions: p }: Region): boolean {
  return !p.read && !p.write && !p.execute
}
