// perf's frames as program counters of the live target.
import { closeSync, openSync } from 'node:fs'
import { address } from '../memory/address.js'
import { type Region, regionAt } from '../memory/region.js'
import { type ByteSource, fileBytes } from '../target/elf/byte-source.js'
import { imageOfFile, isOutermost } from '../target/elf/unwind-table.js'
import { type Module, TargetError } from '../target/target.js'
import { type LiveCode, type ModuleExtent, moduleExtents } from './live-code.js'
import type { PerfSample } from './perf-script.js'
import type { TraceStack } from './trace-event.js'

/** As much of a stack as perf can copy. */
export const STACK_BYTES = 65528
/** Looking again costs a read of the target's maps. */
const LOOK_AGAIN_MS = 200
const MOST_KNOWN = 100_000

/** Looks at the target's regions again when a place is in none that it knows. */
export class PerfStacks {
  readonly #code: LiveCode
  #byPath = new Map<string, Region[]>()
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #extents: ModuleExtent[] = []
  /** By program counter, as of the last look. */
  readonly #outermost = new Map<bigint, boolean>()

  constructor(code: LiveCode) {
    this.#code = code
    this.look()
  }

  look(): void {
    this.#lookedAtMs = performance.now()
    try {
      this.#code.refresh()
    } catch (error) {
      // It has ended: its last known regions are right for its last stacks.
      if (!(error instanceof TargetError)) throw error
    }
    this.#extents = moduleExtents(this.#code)
    this.#outermost.clear()
    this.#byPath = new Map()
    for (const region of this.#code.regions()) {
      if (region.path === null || region.permissions.write) continue
      for (const path of new Set([region.path, region.path.replace(/ \(deleted\)$/, '')])) {
        const same = this.#byPath.get(path)
        if (same) same.push(region)
        else this.#byPath.set(path, [region])
      }
    }
  }

  stackOf({ frames }: PerfSample): TraceStack | null {
    if (frames.length === 0) return null
    // perf tells of callers the byte before where they return to.
    const pcs = frames.map(({ ip, dso }, index) => this.#address(ip, dso) + (index === 0 ? 0n : 1n))
    return { pcs, cut: !this.#isOutermost(pcs.at(-1)! - (pcs.length === 1 ? 0n : 1n)) }
  }

  /** perf does not tell why its stacks end; the unwind tables do: at a function that has no caller, or before. */
  #isOutermost(pc: bigint): boolean {
    const known = this.#outermost.get(pc)
    if (known !== undefined) return known
    const module = regionAt(this.#extents, pc)?.module
    const answer = module ? endsAt(this.#code, module, pc) : false
    if (this.#outermost.size < MOST_KNOWN) this.#outermost.set(pc, answer)
    return answer
  }

  #address(ip: bigint, dso: string): bigint {
    if (!dso.startsWith('/') && dso !== '[vdso]') return ip
    const known = this.#regionOf(ip, dso)
    if (known !== null) return known.start + ip - known.fileOffset
    if (dso.startsWith('//') || !this.#mayLook()) return ip
    this.look()
    const found = this.#regionOf(ip, dso)
    return found === null ? ip : found.start + ip - found.fileOffset
  }

  #regionOf(ip: bigint, dso: string): Region | null {
    const regions = this.#byPath
      .get(dso)
      ?.filter(({ start, end, fileOffset }) => fileOffset <= ip && ip - fileOffset < end - start)
    return regions?.find(({ permissions }) => permissions.execute) ?? regions?.[0] ?? null
  }

  #mayLook(): boolean {
    return performance.now() - this.#lookedAtMs > LOOK_AGAIN_MS
  }
}

/** By the module's memory, or by its file where the process has ended, or runs another program by now. */
function endsAt(code: LiveCode, { base, loadBias, file }: Module, pc: bigint): boolean {
  if (loadBias === null) return false
  const [header, place] = [Number(base - loadBias), Number(pc - loadBias)]
  const memory: ByteSource = {
    read: (at, into) => code.read(address(BigInt.asUintN(64, BigInt(at) + loadBias)), into),
  }
  const answer = isOutermost(memory, header, place)
  if (answer !== null || file === null) return answer === true
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return false
  }
  try {
    return isOutermost(imageOfFile(fileBytes(fd)), header, place) === true
  } finally {
    closeSync(fd)
  }
}
