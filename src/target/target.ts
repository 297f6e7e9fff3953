// What a core file and a live process have in common. Everything here only reads.
import type { Address } from '../memory/address.js'
import type { MemorySource } from '../memory/memory-source.js'
import type { PageRuns } from '../memory/page-runs.js'
import type { Region } from '../memory/region.js'
import type { Code } from './code.js'

/** One thread; what could not be known is null. */
export interface Thread {
  /** The kernel's thread id in the target's PID namespace as recorded by the source. */
  readonly tid: number
  readonly name: string | null
  readonly stackPointer: Address | null
  /** x86: fs_base (gs_base's descriptor on i386); aarch64: TPIDR_EL0. */
  readonly threadPointer: Address | null
}

/** One ELF file mapped by the target. */
export interface Module {
  /** As the target saw it. */
  readonly path: string
  /** Start of its lowest mapping (the one at file offset 0 where that is known). */
  readonly base: Address
  /** What to add to the file's own addresses: 0 for ET_EXEC. Null when its ELF header could not be read. */
  readonly loadBias: bigint | null
  /** Lower-case hex, from the target's memory; null when absent or not saved. */
  readonly buildId: string | null
  /** A path that opens the same file on this machine (build-ids agree, or neither side has one); null otherwise. */
  readonly file: string | null
  /** Why `file` is null, e.g. "build-id differs"; null when it is not. */
  readonly fileProblem: string | null
  /** True for the main program. */
  readonly isProgram: boolean
}

/** What the kernel counts of one mapping, or of a stretch of it (/proc/PID/smaps). Bytes. */
export interface MappingUse {
  readonly start: Address
  readonly end: Address
  /** In RAM, as counted in the process's RSS: without huge pages of hugetlbfs. */
  readonly residentBytes: number
  /** Of residentBytes: mapped by this process only. */
  readonly privateBytes: number
  readonly swapBytes: number
  /** Of residentBytes: in transparent huge pages. */
  readonly hugeBytes: number
  /** Pages of hugetlbfs, which the kernel keeps out of RSS. */
  readonly hugetlbBytes: number
  /** mlock'ed: MADV_DONTNEED is refused there. */
  readonly locked: boolean
}

/** Sums over a whole target. Bytes; null where they are not told. */
export interface ProcessMemoryTotals {
  /** VmRSS, as ps and top show it; of a core what it holds data for. */
  readonly rssBytes: number | null
  readonly swapBytes: number | null
}

/** What surrounds a live process and shapes how its malloc behaves; null members could not be read. */
export interface Surroundings {
  /** CPUs of the machine that are online: what glibc multiplies to limit arenas (up to 2.43). */
  readonly onlineCpus: number | null
  /** CPUs that the process may run on (Cpus_allowed). */
  readonly allowedCpus: number | null
  /** CPUs that its cgroup's quota amounts to (v1 cfs_quota, v2 cpu.max), the least of all levels; null: no quota. */
  readonly quotaCpus: number | null
  /** Memory limit of its cgroup, the least of all levels, and what is charged there; null: no limit. */
  readonly memoryLimitBytes: number | null
  readonly memoryUsedBytes: number | null
  /** vm.max_map_count. */
  readonly mostMappings: number | null
  /** What malloc was told at its start: MALLOC_* and GLIBC_TUNABLES of its environment; null when unreadable. */
  readonly mallocEnvironment: readonly (readonly [name: string, value: string])[] | null
}

/** Lets a process that can only be read while it stands still do so for a while; otherwise each read stops it by itself. */
export interface Halt {
  /** All that is read until `release` is of one moment. Nests. Throws TargetError. */
  hold(): void
  /** It runs on, where it can. Milliseconds in all stops since the last `release`, and how many began in that time. */
  release(): { readonly stoodStillMs: number; readonly stops: number }
}

/** A core file or a live process, opened for reading. */
export interface Target {
  readonly kind: 'core' | 'live' | 'gdb'
  /** How the user named it: a path, `pid N`, or `HOST:PORT pid N`. */
  readonly label: string
  readonly pid: number | null
  /** Path of the main program as the target saw it. */
  readonly executable: string | null
  readonly wordBytes: 8 | 4
  readonly machine: 'x86_64' | 'aarch64' | 'i386'
  readonly pageBytes: number
  /** Signal that ended a core's process, null for a live one. */
  readonly signal: number | null
  readonly memory: MemorySource
  /** What is missing from this target as a whole (a truncated file, unreadable parts); empty when it is complete. */
  readonly problems: readonly string[]
  /** What the user should know although nothing is missing, e.g. that libc here is another build. */
  readonly notes?: readonly string[]
  regions(): readonly Region[]
  threads(): readonly Thread[]
  modules(): readonly Module[]
  /** Bytes of [start, end) that are in RAM now; null where that cannot be known (a core). */
  residentBytes(start: Address, end: Address): number | null
  /**
   * Which pages of [start, end) hold memory of their own: in RAM now, or of a core those that the kernel saved (in RAM
   * or swapped out then). Null where it cannot be known.
   */
  residentPages(start: Address, end: Address): PageRuns | null
  /** The kernel's counts by mapping, sorted; empty where there are none (a core). */
  mappingUses(): readonly MappingUse[]
  /** Null where nothing is told. */
  memoryTotals(): ProcessMemoryTotals | null
  /** Null on a core. */
  surroundings(): Surroundings | null
  /** Of a target that cannot be read while it runs; absent: others. */
  readonly halt?: Halt
  /** Stacks by tid, of a target that has registers at hand; absent: others. At most `depth` frames each. */
  stacks?(depth: number): ReadonlyMap<number, readonly Frame[]>
  /** Looks at the process again: regions, threads and modules are as of now. Nothing to do on a core. */
  refresh(): void
  close(): void
}

/** Layout of one C struct: offsets and size in bytes. */
export interface StructLayout {
  readonly sizeBytes: number
  /** Offset of each member asked for that exists; absent members are absent. */
  readonly offsets: ReadonlyMap<string, number>
}

/** Innermost frame first. */
export interface Frame {
  readonly pc: Address
  readonly functionName: string | null
  readonly source: string | null
}

/** What debug information knows of a target: gdb's knowledge. Every answer may be missing. */
export interface Symbols {
  /** Addresses of global or static variables by name; names gdb does not know are absent. */
  addressesOf(names: readonly string[]): Promise<ReadonlyMap<string, Address>>
  /** Layouts of struct tags (`malloc_state`, `_heap_info`); unknown ones are absent. One round trip for all. */
  layoutsOf(tags: readonly string[]): Promise<ReadonlyMap<string, StructLayout>>
  /** For each address `symbol+offset` as gdb's /a format has it, or null. One round trip for all. */
  nearest(addresses: readonly Address[]): Promise<readonly (string | null)[]>
  /** C++ names of mangled ones (`_ZTV…`); others, and those gdb does not know, as they came. */
  demangled(names: readonly string[]): Promise<readonly string[]>
  /** Stacks by tid, at most `depth` frames each; empty where gdb has no registers (a live target that is not attached). */
  backtraces(depth: number): Promise<ReadonlyMap<number, readonly Frame[]>>
  /** What could not be loaded, for the user to know; e.g. missing debug files. */
  readonly warnings: readonly string[]
  /** A debugger's view of the threads, of a core whose program is at hand; absent or null: others. Ends with `close`. */
  readonly code?: Code | null
  close(): Promise<void>
}

/** The target could not be opened or read: a line for the user, and what to do next. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}
