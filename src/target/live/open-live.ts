// A running process as a target: read through /proc, never stopped, never written.
import type { Address } from '../../memory/address.js'
import type { PageRuns } from '../../memory/page-runs.js'
import type { Region } from '../../memory/region.js'
import {
  type MappingUse,
  type Module,
  type ProcessMemoryTotals,
  type Surroundings,
  type Target,
  TargetError,
  type Thread,
} from '../target.js'
import { denial, type ProcessStatus, requireProcess, thisCaller } from './access.js'
import { readAuxv } from './auxv.js'
import { readModules } from './modules.js'
import { errnoOf, isDenied, isGone, readHeadOrNull, readLinkOrNull, tryReadText } from './proc-file.js'
import { type MapsRegion, parseMaps, withoutDeleted } from './proc-maps.js'
import { goneError, ProcessMemory } from './process-memory.js'
import { Residency } from './residency.js'
import { readSurroundings } from './surroundings.js'
import { readThreads } from './threads.js'

const ELF_MACHINES = new Map<number, Target['machine']>([
  [3, 'i386'],
  [62, 'x86_64'],
  [183, 'aarch64'],
])

// Of maps, until one shows no line twice: one in some hundreds does under heavy mapping.
const MOST_MAPS_READS = 20

/**
 * The process `pid` of this machine as a Target. It runs on while it is read: regions, threads and modules are as of the
 * first question after opening or `refresh()`, memory as of each read. Throws TargetError when there is no such process,
 * when it has no memory (kernel thread, zombie), when the caller may not read it, and later when it has ended.
 */
export function openLive(pid: number): Target {
  const status = requireProcess(pid)
  const memory = openMemory(status)
  try {
    return new LiveTarget(status, memory)
  } catch (error) {
    memory.close()
    throw error
  }
}

class LiveTarget implements Target {
  readonly kind = 'live'
  readonly label: string
  readonly pid: number
  readonly executable: string | null
  readonly wordBytes: 8 | 4
  readonly machine: Target['machine']
  readonly pageBytes: number
  readonly signal = null
  readonly memory: ProcessMemory
  readonly problems: readonly string[]
  #regions: readonly MapsRegion[] | null = null
  #threads: readonly Thread[] | null = null
  #modules: readonly Module[] | null = null
  #residency: Residency | null = null

  constructor(status: ProcessStatus, memory: ProcessMemory) {
    this.pid = status.tgid
    this.memory = memory
    const inner = status.innerPid === status.tgid ? '' : ` (${status.innerPid} in its PID namespace)`
    this.label = `pid ${this.pid}${inner}`
    this.machine = machineOf(this.pid, memory, () => this.regions())
    this.wordBytes = this.machine === 'i386' ? 4 : 8
    this.pageBytes = readAuxv(this.pid, this.wordBytes).pageBytes ?? 4096
    const exe = readLinkOrNull(`/proc/${this.pid}/exe`)
    this.executable = exe === null ? null : withoutDeleted(exe)
    this.problems = executableProblems(exe)
  }

  regions(): readonly MapsRegion[] {
    this.#regions ??= this.memory.readRegions()
    return this.#regions
  }

  threads(): readonly Thread[] {
    this.#threads ??= readThreadsOf(this.pid)
    return this.#threads
  }

  modules(): readonly Module[] {
    this.#modules ??= readModules({
      pid: this.pid,
      pageBytes: this.pageBytes,
      memory: this.memory,
      regions: this.regions(),
      programHeaders: readAuxv(this.pid, this.wordBytes).programHeaders,
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

  memoryTotals(): ProcessMemoryTotals {
    return this.#resident().totals()
  }

  surroundings(): Surroundings {
    return readSurroundings(this.pid)
  }

  #resident(): Residency {
    this.#residency ??= new Residency(this.pid, this.pageBytes)
    return this.#residency
  }

  refresh(): void {
    if (!this.memory.isAlive()) throw goneError(this.pid)
    this.#regions = null
    this.#threads = null
    this.#modules = null
    this.#residency = null
  }

  close(): void {
    this.memory.close()
  }
}

function openMemory(status: ProcessStatus): ProcessMemory {
  const pid = status.tgid
  try {
    return new ProcessMemory(pid, () => readRegions(pid))
  } catch (error) {
    const code = errnoOf(error)
    if (isDenied(code)) throw denial(pid, status, thisCaller())
    if (isGone(code)) throw goneError(pid)
    throw error
  }
}

/** The kernel hands out maps a page at a time: a process that maps meanwhile can have a line twice, or two that overlap. */
function readRegions(pid: number): MapsRegion[] {
  for (let reads = 1; ; reads++) {
    try {
      return parseMaps(readMapsText(pid))
    } catch (error) {
      if (!(error instanceof TargetError) || reads >= MOST_MAPS_READS) throw error
    }
  }
}

function readMapsText(pid: number): string {
  const answer = tryReadText(`/proc/${pid}/maps`)
  if ('code' in answer) {
    if (isGone(answer.code)) throw goneError(pid)
    throw new TargetError(
      `cannot read /proc/${pid}/maps (${answer.code})`,
      `run \`sudo arena-inspect --pid ${pid}\`; the process may have changed its user since it was opened`,
    )
  }
  if (answer.text === '') throw goneError(pid)
  return answer.text
}

function readThreadsOf(pid: number): Thread[] {
  try {
    return readThreads(pid)
  } catch (error) {
    if (isGone(errnoOf(error))) throw goneError(pid)
    throw error
  }
}

/** What the first 20 bytes of an ELF file say of its machine; a number where it is none of ours, 0 for no ELF file. */
export function elfMachine(head: Uint8Array | null): Target['machine'] | 'x32' | number {
  const number = head !== null && head.length >= 20 ? head[18]! + 256 * head[19]! : 0
  const machine = ELF_MACHINES.get(number) ?? number
  // 32-bit pointers in x86_64 code.
  return machine === 'x86_64' && head![4] === ELFCLASS32 ? 'x32' : machine
}

const ELFCLASS32 = 1
const SUPPORTED = 'Supported are programs for x86_64, i386 and aarch64.'

function machineOf(pid: number, memory: ProcessMemory, regions: () => readonly Region[]): Target['machine'] {
  const head = readHeadOrNull(`/proc/${pid}/exe`, 20) ?? headInMemory(memory, regions())
  const machine = elfMachine(head)
  if (typeof machine === 'string' && machine !== 'x32') return machine
  if (!memory.isAlive()) throw goneError(pid)
  throw new TargetError(
    machine === 0
      ? `cannot tell the machine type of process ${pid}`
      : `process ${pid} runs ${machine === 'x32' ? 'x32 code' : `code of ELF machine type ${machine}`}`,
    SUPPORTED,
  )
}

/** The first ELF header that is mapped: of the program, which lies lowest as a rule, or of a library it loads. */
function headInMemory(memory: ProcessMemory, regions: readonly Region[]): Uint8Array | null {
  const head = new Uint8Array(20)
  for (const region of regions) {
    if (region.path === null || region.fileOffset !== 0n) continue
    if (memory.read(region.start, head) === head.length && head[0] === 0x7f && head[1] === 0x45) return head
  }
  return null
}

function executableProblems(exe: string | null): string[] {
  if (exe === null) return ['the path of the program cannot be read (/proc/PID/exe)']
  const path = withoutDeleted(exe)
  return path === exe ? [] : [`the program ${path} was deleted or replaced on disk since it was started`]
}
