// The live target of a trace: its modules, regions and memory, also after it has executed another program.
import type { Address } from '../memory/address.js'
import { MemoryFault } from '../memory/memory-fault.js'
import type { MemorySource } from '../memory/memory-source.js'
import type { Region } from '../memory/region.js'
import { openLive } from '../target/live/open-live.js'
import { readTextOrNull } from '../target/live/proc-file.js'
import { type Module, type Target, TargetError } from '../target/target.js'

/** Where a stretch of a module's file is mapped. */
export interface ModuleExtent {
  readonly module: Module
  readonly start: Address
  readonly end: Address
}

/** One process, whatever program it runs: exec keeps its number and its time of start. */
export class LiveCode implements MemorySource {
  #target: Target
  readonly #startedAt: string | null

  /** Throws TargetError. */
  constructor(readonly pid: number) {
    this.#target = openLive(pid)
    this.#startedAt = startOf(pid)
  }

  /** As of the last look. */
  get target(): Target {
    return this.#target
  }

  modules(): readonly Module[] {
    return this.#target.modules()
  }

  regions(): readonly Region[] {
    return this.#target.regions()
  }

  /** Throws TargetError when the process has ended. */
  refresh(): void {
    try {
      this.#target.refresh()
      this.#target.regions()
    } catch (error) {
      if (!(error instanceof TargetError) || startOf(this.pid) !== this.#startedAt) throw error
      const next = openLive(this.pid)
      this.#target.close()
      this.#target = next
    }
  }

  /** Nothing where the process has ended. */
  read(address: Address, into: Uint8Array): number {
    try {
      return this.#target.memory.read(address, into)
    } catch (error) {
      if (error instanceof TargetError) return 0
      throw error
    }
  }

  fault(address: Address): MemoryFault {
    try {
      return this.#target.memory.fault(address)
    } catch (error) {
      if (error instanceof TargetError) return new MemoryFault(address, 'unmapped')
      throw error
    }
  }

  isAlive(): boolean {
    return startOf(this.pid) === this.#startedAt
  }

  close(): void {
    this.#target.close()
  }
}

/** By address: regions that map a module's file, from its base up to the next module of the same file. */
export function moduleExtents(target: Pick<Target, 'modules' | 'regions'>): ModuleExtent[] {
  const byPath = new Map<string, Module[]>()
  for (const module of target.modules()) {
    const same = byPath.get(module.path)
    if (same) same.push(module)
    else byPath.set(module.path, [module])
  }
  return target.regions().flatMap(({ start, end, path }) => {
    const modules = path === null ? undefined : byPath.get(path.replace(/ \(deleted\)$/, ''))
    const module = modules?.filter(({ base }) => base <= start).at(-1)
    return module ? [{ module, start, end }] : []
  })
}

/** Field 22 of /proc/PID/stat; null when there is no such process, or only its remains. */
function startOf(pid: number): string | null {
  const fields = readTextOrNull(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
  return fields === undefined || /^[ZX]/.test(fields[0]!) ? null : fields[19]!
}
