// Program counters of a live target as places in its modules' files.
import { type Address, hex } from '../memory/address.js'
import { type Module, type Target, TargetError } from '../target/target.js'
import { moduleExtents } from './live-code.js'
import type { TraceFrame, TraceModule } from './trace.js'

/** The parts of a live target that are asked. */
export type CodeTarget = Pick<Target, 'modules' | 'regions' | 'refresh'>

interface Extent {
  readonly start: bigint
  readonly end: bigint
  /** Index in `modules`. */
  readonly module: number
  readonly loadBias: bigint
}

/** Anonymous code (a JIT) can have a new place for each call: after so many looks in vain they become rare. */
const LOOKS_IN_VAIN = 1000
const RARE_LOOK_MS = 1000
const MOST_NOWHERE = 100_000
const PAGE_BITS = 12n
const MOST_FRAMES = 500_000
const MOST_MODULES = 20_000

/** Modules and frames by number, as a Trace has them. Looks at the target again when a place is in no known module. */
export class CodePlaces {
  readonly modules: TraceModule[] = []
  readonly frames: TraceFrame[] = []
  readonly #target: CodeTarget
  readonly #byKey = new Map<string, number>()
  readonly #moduleByKey = new Map<string, number>()
  readonly #files: (string | null)[] = []
  #extents: Extent[] = []
  /** Pages that are in no module. */
  readonly #nowhere = new Set<bigint>()
  #looksInVain = 0
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(target: CodeTarget) {
    this.#target = target
    this.look()
  }

  /** Where this machine can open the module's file; null: nowhere. */
  fileOf(module: number): string | null {
    return this.#files[module] ?? null
  }

  /** Frames of `pcs` (innermost first, callers by where they return to); null when there are too many to keep. */
  framesOf(pcs: readonly bigint[]): readonly number[] | null {
    const frames: number[] = []
    for (const [index, pc] of pcs.entries()) {
      const frame = this.#frameAt(index === 0 ? pc : pc - 1n)
      if (frame === null) return null
      frames.push(frame)
    }
    return frames
  }

  /** Another program runs in the process. */
  executed(): void {
    this.#nowhere.clear()
    this.#looksInVain = 0
    this.look()
  }

  /** Reads modules anew. What the target can no longer tell stays as it was. */
  look(): void {
    this.#lookedAtMs = performance.now()
    try {
      this.#target.refresh()
      this.#extents = this.#extentsNow()
    } catch (error) {
      // It may have ended; its last known modules are right for the stacks that were taken of it.
      if (!(error instanceof TargetError)) throw error
    }
  }

  #frameAt(at: bigint): number | null {
    let extent = this.#extentOf(at)
    if (extent === null && this.#mayBeNew(at)) {
      this.look()
      extent = this.#extentOf(at)
      if (extent === null) {
        this.#looksInVain++
        if (this.#nowhere.size < MOST_NOWHERE) this.#nowhere.add(at >> PAGE_BITS)
      }
    }
    return this.#frame(extent?.module ?? null, BigInt.asUintN(64, at - (extent?.loadBias ?? 0n)))
  }

  #mayBeNew(at: bigint): boolean {
    if (this.#nowhere.has(at >> PAGE_BITS)) return false
    return this.#looksInVain < LOOKS_IN_VAIN || performance.now() - this.#lookedAtMs > RARE_LOOK_MS
  }

  #frame(module: number | null, address: bigint): number | null {
    const key = `${module} ${address}`
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.frames.length >= MOST_FRAMES) return null
    this.frames.push({ module, address: hex(address as Address), function: null, source: null, inlined: [] })
    this.#byKey.set(key, this.frames.length - 1)
    return this.frames.length - 1
  }

  #extentOf(at: bigint): Extent | null {
    let low = 0
    let high = this.#extents.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#extents[middle]!.end > at) high = middle
      else low = middle + 1
    }
    const found = this.#extents[low]
    return found && found.start <= at ? found : null
  }

  #extentsNow(): Extent[] {
    return moduleExtents(this.#target).flatMap(({ module, start, end }) => {
      const number = module.loadBias === null ? null : this.#moduleNumber(module)
      return number === null ? [] : [{ start, end, module: number, loadBias: module.loadBias! }]
    })
  }

  // The same file again elsewhere (dlopen after dlclose, exec of itself) is the same module.
  #moduleNumber(module: Module): number | null {
    const { path, buildId, base, loadBias, isProgram, file } = module
    const key = `${path} ${buildId ?? base}`
    const known = this.#moduleByKey.get(key)
    if (known !== undefined) {
      this.#files[known] = file ?? this.#files[known] ?? null
      return known
    }
    if (this.modules.length >= MOST_MODULES) return null
    this.modules.push({
      path,
      buildId,
      base: hex(base),
      loadBias: loadBias === null ? null : hex(BigInt.asUintN(64, loadBias) as Address),
      isProgram,
    })
    this.#files.push(file)
    this.#moduleByKey.set(key, this.modules.length - 1)
    return this.modules.length - 1
  }
}
