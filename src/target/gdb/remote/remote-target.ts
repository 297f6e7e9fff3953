// A process behind a gdb stub as a target: it stands still while it is read, and runs on in between where the stub allows.
import { type Address, address } from '../../../memory/address.js'
import type { PageRuns } from '../../../memory/page-runs.js'
import { regionAt } from '../../../memory/region.js'
import { parseAuxv } from '../../live/auxv.js'
import { type MapsRegion, parseMaps, withoutDeleted } from '../../live/proc-maps.js'
import {
  type Frame,
  type Halt,
  type MappingUse,
  type Module,
  type ProcessMemoryTotals,
  type Surroundings,
  type Target,
  TargetError,
  type Thread,
} from '../../target.js'
import { toBacktraces } from '../helper-answers.js'
import { RemoteFiles } from './remote-files.js'
import type { RemoteGdb, StoodStill } from './remote-gdb.js'
import { RemoteMemory } from './remote-memory.js'
import { readRemoteModules } from './remote-modules.js'
import { RemoteResidency } from './remote-residency.js'
import { readRemoteSurroundings } from './remote-surroundings.js'

const MACHINES = new Map<number, Target['machine']>([
  [3, 'i386'],
  [62, 'x86_64'],
  [183, 'aarch64'],
])

/** Nothing is read for so long: the process runs on. */
const IDLE_MS = 30

/** What opening takes besides the connection. */
export interface RemoteTargetFacts {
  readonly pid: number
  /** HOST:PORT. */
  readonly where: string
  readonly sysroot: string | null
}

/** Regions, threads and modules are as of opening or the last `refresh()`; memory as of the last time it stood still. */
export class RemoteTarget implements Target {
  readonly kind = 'gdb'
  readonly label: string
  readonly pid: number
  readonly executable: string | null
  readonly wordBytes: 8 | 4
  readonly machine: Target['machine']
  readonly pageBytes: number
  readonly signal = null
  readonly memory: RemoteMemory
  readonly problems: readonly string[] = []
  readonly halt: Halt
  readonly #gdb: RemoteGdb
  readonly #files: RemoteFiles
  readonly #where: string
  readonly #sysroot: string | null
  #regions: readonly MapsRegion[] | null = null
  #threads: readonly Thread[] | null = null
  #modules: readonly Module[] | null = null
  #residency: RemoteResidency | null = null
  #isHeld = true
  #holders = 0
  #told = { stoodStillMs: 0, stops: 0 }
  #idle: NodeJS.Timeout | null = null

  /** The process stands still, as it does after connecting. Throws TargetError. */
  constructor(gdb: RemoteGdb, { pid, where, sysroot }: RemoteTargetFacts) {
    this.#gdb = gdb
    this.#files = new RemoteFiles(gdb)
    this.#where = where
    this.#sysroot = sysroot
    this.pid = pid
    this.label = `${where} pid ${pid}`
    this.halt = { hold: () => this.#hold(), release: () => this.#release() }
    this.memory = new RemoteMemory(
      (at, into) => this.#whileHeld(() => gdb.read(at, into)),
      () => this.regions(),
    )
    this.machine = this.#machineOf()
    this.wordBytes = this.machine === 'i386' ? 4 : 8
    const auxv = parseAuxv(
      this.#files.bytes(`/proc/${pid}/auxv`)?.subarray() ?? new Uint8Array(0),
      this.wordBytes,
    )
    this.pageBytes = auxv.pageBytes ?? 4096
    const named =
      this.#files.link(`/proc/${pid}/exe`) ??
      (auxv.programHeaders === null ? null : (regionAt(this.regions(), auxv.programHeaders)?.path ?? null))
    this.executable = named === null ? null : withoutDeleted(named)
  }

  regions(): readonly MapsRegion[] {
    this.#regions ??= this.#readRegions()
    return this.#regions
  }

  threads(): readonly Thread[] {
    this.#threads ??= this.#whileHeld(() => this.#readThreads())
    return this.#threads
  }

  modules(): readonly Module[] {
    this.#modules ??= readRemoteModules({
      pid: this.pid,
      pageBytes: this.pageBytes,
      memory: this.memory,
      regions: this.regions(),
      executable: this.executable,
      files: this.#files,
      sysroot: this.#sysroot,
    })
    return this.#modules
  }

  residentBytes(start: Address, end: Address): number | null {
    return this.#resident().bytes(start, end)
  }

  residentPages(start: Address, end: Address): PageRuns | null {
    return this.#resident().pages(start, end)
  }

  mappingUses(): readonly MappingUse[] {
    return this.#resident().mappings()
  }

  memoryTotals(): ProcessMemoryTotals | null {
    return this.#resident().totals()
  }

  surroundings(): Surroundings | null {
    return readRemoteSurroundings(this.pid, this.#files)
  }

  stacks(depth: number): ReadonlyMap<number, readonly Frame[]> {
    const modules = this.modules().flatMap(({ file, loadBias, isProgram }) =>
      file === null || loadBias === null
        ? []
        : [[file, `0x${BigInt.asUintN(64, loadBias).toString(16)}`, isProgram]],
    )
    const { stacks } = this.#whileHeld(() =>
      this.#gdb.ask<{ readonly stacks: unknown }>({ do: 'stacks', depth, modules }),
    )
    return toBacktraces(stacks)
  }

  refresh(): void {
    this.#regions = null
    this.#threads = null
    this.#modules = null
    this.#residency = null
    this.memory.forget()
  }

  close(): void {
    if (this.#idle) clearTimeout(this.#idle)
    this.#gdb.close()
  }

  #hold(): void {
    this.#holders++
    this.#stop()
  }

  #release(): ReturnType<Halt['release']> {
    this.#holders = Math.max(0, this.#holders - 1)
    const before = this.#told
    this.#told = this.#run()
    return {
      stoodStillMs: this.#told.stoodStillMs - before.stoodStillMs,
      stops: this.#told.stops - before.stops,
    }
  }

  // Stops the process for `work` where it runs, and lets it run soon after the last of it.
  #whileHeld<T>(work: () => T): T {
    this.#stop()
    try {
      return work()
    } finally {
      if (this.#holders === 0) this.#runSoon()
    }
  }

  #stop(): void {
    if (this.#isHeld) return
    // What was read before is of another moment.
    this.memory.forget()
    this.#gdb.ask({ do: 'hold' })
    this.#isHeld = true
  }

  #runSoon(): void {
    if (this.#idle) this.#idle.refresh()
    else {
      this.#idle = setTimeout(() => {
        this.#idle = null
        if (this.#holders === 0 && this.#isHeld) this.#runUnlessLost()
      }, IDLE_MS)
      this.#idle.unref()
    }
  }

  // Nobody waits for this one: who asks next is told.
  #runUnlessLost(): void {
    try {
      this.#run()
    } catch (error) {
      if (!(error instanceof TargetError)) throw error
    }
  }

  #run(): StoodStill {
    const stood = this.#gdb.ask<StoodStill>({ do: 'release' })
    this.#isHeld = !stood.runs
    return stood
  }

  #resident(): RemoteResidency {
    this.#residency ??= new RemoteResidency(this.pid, this.#files)
    return this.#residency
  }

  #readRegions(): readonly MapsRegion[] {
    const text = this.#files.text(`/proc/${this.pid}/maps`)
    if (text === null || text === '') {
      throw new TargetError(
        `the stub at ${this.#where} does not tell the mappings of process ${this.pid}`,
        'gdbserver does; qemu-user does from version 8.1 on, and vgdb does not: look at the process itself with --pid on its machine',
      )
    }
    return parseMaps(text)
  }

  #readThreads(): readonly Thread[] {
    const { threads } = this.#gdb.ask<{ readonly threads: readonly RemoteThread[] }>({ do: 'threads' })
    return threads
      .map(([tid, name, stackPointer, threadPointer]) => ({
        tid,
        name,
        stackPointer: stackPointer === null ? null : address(BigInt(stackPointer)),
        threadPointer: threadPointer === null ? null : address(BigInt(threadPointer)),
      }))
      .sort((a, b) => a.tid - b.tid)
  }

  #machineOf(): Target['machine'] {
    const head = new Uint8Array(20)
    for (const region of this.regions()) {
      if (!region.path?.startsWith('/') || region.fileOffset !== 0n) continue
      if (this.memory.read(region.start, head) < head.length || head[0] !== 0x7f || head[1] !== 0x45) continue
      const machine = MACHINES.get(head[18]! + 256 * head[19]!)
      if (machine) return machine
    }
    throw new TargetError(
      `cannot tell the machine type of process ${this.pid} at ${this.#where}`,
      'supported are programs for x86_64, i386 and aarch64',
    )
  }
}

type RemoteThread = readonly [
  tid: number,
  name: string | null,
  stackPointer: string | null,
  threadPointer: string | null,
]
