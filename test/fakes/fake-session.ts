// A session over memory that was made up: the same every time, with holes, unsaved bytes, chunks and hostile names.
import { CATEGORIES, type Category, type CategorySum } from '../../src/maps/categories.js'
import type { Piece } from '../../src/maps/categorize.js'
import type { Ledger, LedgerLine } from '../../src/maps/ledger.js'
import { type Address, address, hex, offset } from '../../src/memory/address.js'
import { MemoryFault } from '../../src/memory/memory-fault.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import { type Region, regionAt } from '../../src/memory/region.js'
import { type SearchStep, searchMemory } from '../../src/memory/search.js'
import type { Report, ReportArena, ReportThread } from '../../src/report/report.js'
import { parseNeedle } from '../../src/session/needle.js'
import {
  CHUNK_STATES,
  type ChunkBatch,
  type ChunkFilter,
  type ChunkLink,
  type ChunkMark,
  type MemoryRead,
  type Session,
} from '../../src/session/session.js'

const MiB = 1024 ** 2
const HEAP_BYTES = 4 * MiB
/** Text that must never reach a terminal as it is. */
export const HOSTILE = '/opt/\x1b[2Jmem\u202esql\x9b31m/bin\n\tmemsqld'

const PROGRAM = 0x55d0c0de0000n
const MAIN_HEAP = 0x55d0c1a00000n
const LIBC = 0x7fb240000000n
const STACK = 0x7ffc0f000000n
const MAIN_ARENA = LIBC + 0x1d2c60n

/** heap_info of arena `index` (1 …). */
export function heapAddress(index: number): bigint {
  return 0x7f8f98000000n + BigInt(index - 1) * 0x4000000n
}

export interface FakeOptions {
  readonly isLive?: boolean
  /** Answer of symbolsOf; the default knows main_arena. */
  symbols?(values: readonly bigint[]): Promise<readonly (string | null)[]>
  refresh?(): Promise<Report>
  /** Answer of stacks; the default knows what most threads were doing. */
  stacks?(): Promise<ReadonlyMap<number, readonly string[]>>
  readonly pieces?: readonly Piece[]
  readonly report?: Partial<Report>
}

/** 70 threads: one with a hostile name, one without an arena or tcache, one that nothing is known of. */
function fakeThreads(): ReportThread[] {
  return Array.from({ length: 70 }, (_, i) => ({
    tid: 1000 + i,
    name: i === 3 ? 'wo\x1b[2Jrk\u202eer' : i === 69 ? null : i === 0 ? 'memsqld' : `worker-${i}`,
    arena: i >= 68 ? null : (i * 13) % 64,
    tcache:
      i >= 68
        ? null
        : {
            address: hex(heapAddress(1 + (i % 63)) + 0x8d0n),
            chunks: (i * 29) % 71,
            bytes: ((i * 29) % 71) * 4112,
          },
  }))
}

function fakeStacks(): ReadonlyMap<number, readonly string[]> {
  const waiting = [
    '__futex_abstimed_wait_common64',
    'pthread_cond_wait',
    'Pool::wait\x1b[31m',
    'start_thread',
  ]
  const working = ['_int_malloc', 'malloc', 'Query::run', 'start_thread']
  return new Map(Array.from({ length: 69 }, (_, i) => [1000 + i, i % 5 === 0 ? working : waiting]))
}

/** Every region in one category, the last 2 MiB of each arena's heap apart as reserved. */
function fakePieces(): Piece[] {
  return regions().flatMap((region): Piece[] => {
    const { start, end, path } = region
    const whole = (category: Category, residentBytes: number | null): Piece[] => [
      { start, end, category, region, residentBytes },
    ]
    if (path === '[stack]') return whole('main stack', 98_304)
    if (path === '[heap]') return whole('main heap', HEAP_BYTES)
    if (path === HOSTILE) return whole('program', 65_536)
    if (path !== null) return whole('shared libraries', null)
    const middle = offset(start, HEAP_BYTES / 2)
    return [
      {
        start,
        end: middle,
        category: 'arena heaps, committed',
        region,
        residentBytes: 4096 * (1 + Number((start >> 26n) % 97n)),
      },
      { start: middle, end, category: 'arena heaps, reserved', region, residentBytes: 0 },
    ]
  })
}

function region(start: bigint, bytes: number, path: string | null): Region {
  const permissions = { read: true, write: true, execute: false, shared: false }
  return { start: address(start), end: address(start + BigInt(bytes)), permissions, fileOffset: 0n, path }
}

function regions(): Region[] {
  return [
    region(PROGRAM, 64 * 1024, HOSTILE),
    region(MAIN_HEAP, HEAP_BYTES, '[heap]'),
    ...Array.from({ length: 63 }, (_, i) => region(heapAddress(i + 1), HEAP_BYTES, null)),
    region(LIBC, 2 * MiB, '/usr/lib/x86_64-linux-gnu/libc.so.6'),
    region(STACK, 132 * 1024, '[stack]'),
  ]
}

/** Sizes that repeat along every heap; the last of a heap is top. */
const SIZES = [32, 48, 4112, 96, 1040, 64, 131072, 32, 544] as const
const FREE = new Set([2, 4, 8])

function* chunksOf(index: number): Generator<ChunkMark> {
  const start = index === 0 ? MAIN_HEAP : heapAddress(index)
  let at = start
  if (index > 0) {
    yield { address: address(at), sizeBytes: 0x8d0, state: 'arena', arenaIndex: index }
    at += 0x8d0n
  }
  const end = start + BigInt(HEAP_BYTES) - 0x40000n
  for (let i = 0; at < end; i++) {
    const sizeBytes = SIZES[i % SIZES.length]!
    yield {
      address: address(at),
      sizeBytes,
      state: FREE.has(i % SIZES.length) ? 'free' : 'used',
      arenaIndex: index,
    }
    at += BigInt(sizeBytes)
  }
  const sizeBytes = Number(start + BigInt(HEAP_BYTES) - at)
  yield { address: address(at), sizeBytes, state: 'top', arenaIndex: index }
}

function fakeArena(index: number): ReportArena {
  const systemBytes = 200 * MiB + index * 7 * 123_457
  const topBytes = (index % 7) * MiB + 132_096
  const fastbinBytes = index * 96
  const inUseBytes = index === 0 ? 79 * MiB : ((index * 37) % 11) * 350_000 + 4112
  const broken = index === 17
  return {
    index,
    address: hex(index === 0 ? MAIN_ARENA : heapAddress(index) + 0x30n),
    isMain: index === 0,
    heaps: [{ address: hex(index === 0 ? MAIN_HEAP : heapAddress(index)), sizeBytes: HEAP_BYTES }],
    systemBytes,
    inUseBytes: broken ? null : inUseBytes,
    freeBytes: broken ? null : systemBytes - inUseBytes,
    fastbinBytes,
    binnedBytes: broken ? null : systemBytes - inUseBytes - topBytes - fastbinBytes,
    topBytes,
    freeChunks: 1000 + index * 67,
    attachedThreads: index === 0 ? 9 : index % 10,
    liveBytes: broken ? null : inUseBytes - 2256,
    usedChunks: broken ? null : 40 + index,
    tcacheBytes: broken ? null : 0,
    tcacheChunks: broken ? null : 0,
    overheadBytes: broken ? null : 2256,
    largestFreeBytes: broken ? null : 12 * MiB,
    moving: null,
    skippedBytes: broken ? 4 * MiB : 0,
    reservedBytes: HEAP_BYTES,
    committedBytes: HEAP_BYTES,
    resident: null,
    trimReturnsBytes: null,
    sizeClasses: null,
    complete: !broken,
  }
}

function categories(): CategorySum[] {
  const sums: Record<string, [number, number, number | null]> = {
    'arena heaps, committed': [359, 13_529_146_982, 13_421_772_800],
    'arena heaps, reserved': [298, 5_905_580_032, 0],
    'main heap': [1, 375_599_923, 375_599_923],
    'mmapped chunks': [12, 134_217_728, 134_217_728],
    'thread stacks': [531, 2_576_980_377, 223_765_913],
    'stack guards': [531, 2_174_976, 0],
    'main stack': [1, 135_168, 98_304],
    program: [5, 104_857_600, 62_914_560],
    'shared libraries': [96, 41_943_040, 20_971_520],
    'kernel (vdso)': [2, 16_384, 4096],
    'other anonymous': [44, 52_428_800, 31_457_280],
  }
  return CATEGORIES.map((category) => {
    const [mappings, virtualBytes, residentBytes] = sums[category] ?? [0, 0, 0]
    return { category, mappings, virtualBytes, residentBytes }
  })
}

function fakeLedger(): Ledger {
  const lines: readonly (readonly [LedgerLine, number])[] = [
    ['malloc: live', 164_825_497],
    ['malloc: tcache', 1_921_024],
    ['malloc: bins, trimmable', 12_797_345_792],
    ['malloc: bins, pinned', 412_090_368],
    ['malloc: top', 421_190_042],
    ['mmapped chunks', 134_217_728],
    ['thread stacks', 223_765_913],
    ['libraries, shared', 20_971_520],
  ]
  const entries = lines.map(([line, residentBytes]) => ({ line, residentBytes, swapBytes: 0 }))
  const sum = entries.reduce((all, { residentBytes }) => all + residentBytes, 0)
  const unaccountedBytes = 1_048_576
  const totalBytes = sum + unaccountedBytes
  return {
    basis: 'rss',
    totalBytes,
    entries,
    unaccountedBytes,
    unaccountedPercent: (100 * unaccountedBytes) / totalBytes,
    swapBytes: 4096,
    hugeBytes: 0,
    hugetlbBytes: 0,
  }
}

/** The incident of the documentation: 64 arenas that hold much and use little. */
export function fakeReport(): Report {
  const arenas = Array.from({ length: 64 }, (_, index) => fakeArena(index))
  const sum = (of: (arena: ReportArena) => number | null) =>
    arenas.reduce((all, arena) => all + (of(arena) ?? 0), 0)
  return {
    schema: 'arena-inspect/1',
    complete: false,
    problems: ['arena 17: its bins could not be walked to the end; its numbers are lower bounds'],
    target: {
      kind: 'core',
      label: 'core.6',
      pid: 6,
      executable: HOSTILE,
      threads: 531,
      stop: null,
      glibc: { version: '2.36', layoutFrom: 'probe', confirmedArenas: 63 },
    },
    heap: {
      arenas,
      mmapped: { count: 12, bytes: 134_217_728 },
      totals: {
        systemBytes: sum((arena) => arena.systemBytes),
        inUseBytes: sum((arena) => arena.inUseBytes),
        freeBytes: sum((arena) => arena.freeBytes),
        fastbinBytes: sum((arena) => arena.fastbinBytes),
        binnedBytes: sum((arena) => arena.binnedBytes),
        topBytes: sum((arena) => arena.topBytes),
        liveBytes: sum((arena) => arena.liveBytes),
        usedChunks: sum((arena) => arena.usedChunks),
        tcacheBytes: sum((arena) => arena.tcacheBytes),
        tcacheChunks: sum((arena) => arena.tcacheChunks),
        overheadBytes: sum((arena) => arena.overheadBytes),
        largestFreeBytes: 12 * MiB,
        trimReturnsBytes: null,
      },
      parameters: null,
      sizeClasses: null,
      threads: fakeThreads(),
      anomalies: [
        {
          at: hex(heapAddress(17) + 0x1000n),
          code: 'ring-broken',
          what: 'bin 12 leads to \x1b]0;owned\x07 unmapped memory',
        },
      ],
    },
    maps: { categories: categories() },
    ledger: fakeLedger(),
    findings: [
      {
        rule: 'large-stacks',
        severity: 'info',
        title: '531 thread stacks take 2.4 GiB of address space, 213.4 MiB of it in RAM',
        evidence: [{ label: 'threads', value: 531, unit: 'count' }],
        nextStep: 'Nothing to do: reserved address space costs no memory',
      },
      {
        rule: 'arena-bloat',
        severity: 'critical',
        title: '64 arenas hold 12.6 GiB and use 1.1 % of it: 12.4 GiB is free memory that malloc keeps',
        evidence: [
          { label: 'arenas', value: 64, unit: 'count' },
          { label: 'from the kernel', value: sum((arena) => arena.systemBytes), unit: 'bytes' },
          { label: 'in use', value: 1.1, unit: 'percent' },
          { label: 'program', value: HOSTILE, unit: 'text' },
        ],
        nextStep: 'Set MALLOC_ARENA_MAX=8 and restart; now: arena-inspect trim --pid 6',
      },
    ],
  }
}

/** What the memory holds: chunk headers, pointers, text and noise, all computed from the address. */
class FakeMemory {
  readonly regions = regions()
  readonly #chunks = new Map<number, readonly ChunkMark[]>()

  chunks(index: number): readonly ChunkMark[] {
    const known = this.#chunks.get(index) ?? [...chunksOf(index)]
    this.#chunks.set(index, known)
    return known
  }

  arenaAt(at: bigint): number | null {
    if (at >= MAIN_HEAP && at < MAIN_HEAP + BigInt(HEAP_BYTES)) return 0
    const index = Number((at - heapAddress(1)) / 0x4000000n) + 1
    return at >= heapAddress(1) && index < 64 && at < heapAddress(index) + BigInt(HEAP_BYTES) ? index : null
  }

  chunkAt(at: bigint): ChunkMark | null {
    const index = this.arenaAt(at)
    if (index === null) return null
    const chunks = this.chunks(index)
    let low = 0
    for (let high = chunks.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1
      if (chunks[middle]!.address <= at) low = middle
      else high = middle - 1
    }
    return chunks[low] ?? null
  }

  /** Null: the word was not saved. */
  word(at: bigint): bigint | null {
    if (at >= STACK + 0x20000n || (at >= heapAddress(2) + 0x2000n && at < heapAddress(2) + 0x2030n))
      return null
    const chunk = this.chunkAt(at)
    if (!chunk || chunk.state === 'arena')
      return at % 64n === 0n ? MAIN_ARENA + 96n : at % 24n === 0n ? 0n : at * 0x9e37n
    const field = Number(at - chunk.address) / 8
    if (field === 0) return 0n
    if (field === 1) return BigInt(chunk.sizeBytes) | 1n | (chunk.arenaIndex > 0 ? 4n : 0n)
    if (chunk.state === 'free' && field === 2) return MAIN_ARENA + 96n
    if (chunk.state === 'free' && field === 3) return chunk.address - 0x30n
    if (chunk.state === 'top') return 0n
    return field % 3 === 0 ? 0x6f77206f6c6c6568n : field % 3 === 1 ? 0x1b5b324a00c3a921n : chunk.address + 16n
  }
}

/** `where`, fully: the session's interface over FakeMemory. */
export class FakeSession implements Session {
  readonly wordBytes = 8
  readonly isLive: boolean
  report: Report
  readonly pieces: readonly Piece[]
  readonly #memory = new FakeMemory()
  readonly #options: FakeOptions

  constructor(options: FakeOptions = {}) {
    this.#options = options
    this.isLive = options.isLive ?? false
    this.report = { ...fakeReport(), ...options.report }
    this.pieces = options.pieces ?? fakePieces()
  }

  async refresh(): Promise<Report> {
    if (this.#options.refresh) this.report = await this.#options.refresh()
    return this.report
  }

  read(start: Address, length: number): MemoryRead {
    const bytes = new Uint8Array(length).fill(0xee)
    const known = new Uint8Array(length)
    let fault: string | null = null
    for (let i = 0; i < length; i++) {
      const at = start + BigInt(i)
      const word = regionAt(this.#memory.regions, at) ? this.#memory.word(at & ~7n) : null
      if (word === null) fault ??= `${hex(at)} not saved in the core file`
      else {
        bytes[i] = Number((word >> (8n * (at & 7n))) & 0xffn)
        known[i] = 1
      }
    }
    return { start, bytes, known, fault }
  }

  chunksIn(start: Address, end: Address): readonly ChunkMark[] {
    const index = this.#memory.arenaAt(start)
    if (index === null) return []
    return this.#memory
      .chunks(index)
      .filter((c) => c.address < end && c.address + BigInt(c.sizeBytes) > start)
  }

  /** One batch per arena; every third chunk that looks used is in a tcache. */
  *chunkBatches(filter: ChunkFilter): Generator<ChunkBatch> {
    const states = { used: 'live', free: 'binned', top: 'top', fencepost: 'fencepost' } as const
    for (let arena = 0; arena < 64; arena++) {
      if (filter.arena !== undefined && filter.arena !== arena) continue
      const chunks = this.#memory.chunks(arena).filter((chunk) => chunk.state !== 'arena')
      const state = (chunk: ChunkMark, index: number) =>
        index % 3 === 0 && chunk.state === 'used' ? 'tcache' : states[chunk.state as keyof typeof states]
      yield {
        count: chunks.length,
        addresses: BigUint64Array.from(chunks, (chunk) => chunk.address),
        sizes: Float64Array.from(chunks, (chunk) => chunk.sizeBytes),
        states: Uint8Array.from(chunks, (chunk, index) => CHUNK_STATES.indexOf(state(chunk, index))),
        arenas: new Int32Array(chunks.length).fill(arena),
      }
    }
  }

  processState(): string | null {
    return this.isLive ? 'sleeping' : null
  }

  async symbolsOf(values: readonly bigint[]): Promise<readonly (string | null)[]> {
    if (this.#options.symbols) return this.#options.symbols(values)
    return values.map((value) => (value === MAIN_ARENA + 96n ? 'main_arena+96' : null))
  }

  async stacks(): Promise<ReadonlyMap<number, readonly string[]>> {
    return this.#options.stacks ? this.#options.stacks() : fakeStacks()
  }

  describe(at: Address) {
    const found = regionAt(this.#memory.regions, at)
    const chunk = this.#memory.chunkAt(at)
    const lines: string[] = []
    if (chunk)
      lines.push(
        `${chunk.state} chunk ${hex(chunk.address)} of arena ${chunk.arenaIndex}, ${chunk.sizeBytes} bytes`,
      )
    if (found) lines.push(`${found.path ?? 'anonymous memory'} +${hex(at - found.start)}`)
    return { lines, regionStart: found?.start ?? null }
  }

  /** Every free chunk's fd and bk; the chunks in tcaches have none here. */
  linksOf(chunk: ChunkMark): readonly ChunkLink[] {
    if (chunk.state !== 'free') return []
    return (['fd', 'bk'] as const).map((name, index) => {
      const at = offset(chunk.address, 16 + 8 * index)
      return { name, at, target: this.#memory.word(at) ?? 0n, isMangled: false }
    })
  }

  /** Only the first page of each region: the rest takes this memory too long. */
  search(text: string, from: Address | null, direction: 1 | -1): Iterable<SearchStep> {
    const spans = this.#memory.regions.map(({ start }) => ({ start, end: offset(start, 4096) }))
    const memory: MemorySource = {
      read: (at, into) => {
        const { bytes, known } = this.read(at, into.length)
        into.set(bytes)
        const missing = known.indexOf(0)
        return missing < 0 ? known.length : missing
      },
      fault: (at) => new MemoryFault(at, 'unsaved'),
    }
    const { bytes, alignBytes } = parseNeedle(text, this.wordBytes)
    return searchMemory(memory, spans, { bytes, alignBytes, from, direction, pageBytes: 4096 })
  }

  nextMapped(at: Address, direction: 1 | -1): Address | null {
    if (regionAt(this.#memory.regions, at)) return at
    if (direction === 1) return this.#memory.regions.find((r) => r.start > at)?.start ?? null
    const before = this.#memory.regions.filter((r) => r.end <= at).at(-1)
    return before ? offset(before.end, -1) : null
  }

  async close(): Promise<void> {}
}
