// Opens a target with what gdb knows of it, measures it, and answers what interactive views ask.
import { ChunkIndex } from '../malloc/chunks/chunk-index.js'
import { type ChunkBatch, type ChunkFilter, listChunks } from '../malloc/chunks/list-chunks.js'
import type { HeapProgress } from '../malloc/read-heap-model.js'
import type { Piece } from '../maps/categorize.js'
import { type Address, address, hex, offset } from '../memory/address.js'
import { permissionText, regionAt } from '../memory/region.js'
import type { Report } from '../report/report.js'
import { openSymbols, type SymbolsOptions } from '../target/gdb/open-symbols.js'
import { Holder } from '../target/live/hold.js'
import { processState } from '../target/live/process-state.js'
import { openTargetUnpacked, type TargetChoice } from '../target/open.js'
import { type Frame, type Symbols, type Target, TargetError } from '../target/target.js'
import type { UnpackProgress } from '../target/unpack/unpack-core.js'
import { type Measurement, measure } from './measure.js'
import { measureHalted } from './measure-halted.js'
import { measureStopped } from './measure-stopped.js'
import type { ChunkMark, Description, MemoryRead, Session } from './session.js'

export interface SessionOptions extends Omit<SymbolsOptions, 'corePath'> {
  /** Called while arenas are measured. */
  readonly progress?: HeapProgress
  /** Called while a compressed core is unpacked: packed bytes read, of all. */
  readonly unpackProgress?: UnpackProgress
  /** False: gdb is not started; no symbols, the layout comes from memory. */
  readonly useGdb?: boolean
  /**
   * True: where a core's own memory leaves no doubt about malloc (`readWhenSure`), gdb is not asked about it; starting
   * gdb costs as much as reading gigabytes of heaps. Default: debug information first.
   */
  readonly gdbOnlyInDoubt?: boolean
  /** A live process stands still while it is measured, each time: one exact picture. */
  readonly stop?: boolean
}

/** Opens what `choice` names and measures it. Throws TargetError; without gdb the report says what is missing. */
export async function openSession(
  choice: TargetChoice,
  options: SessionOptions = {},
): Promise<TargetSession> {
  const { target, corePath } = await openTargetUnpacked(choice, options.unpackProgress, options)
  const core = corePath === null ? {} : { corePath }
  const symbols = options.useGdb === false ? null : await openSymbols(target, { ...options, ...core })
  let holder: Holder | null = null
  try {
    if (options.stop) holder = await holderOf(target, options.gdbPath)
    const progress = options.progress ? { progress: options.progress } : {}
    const measured = holder
      ? await measureStopped(target, symbols, holder, options.progress)
      : target.halt
        ? await measureHalted(target, target.halt, symbols, options.progress)
        : await measure(target, symbols, { ...progress, onlyInDoubt: options.gdbOnlyInDoubt === true })
    return new TargetSession(target, symbols, measured, holder)
  } catch (error) {
    holder?.close()
    await symbols?.close()
    target.close()
    throw error
  }
}

/** The Session over one Target; owns the target and its symbols until `close`. */
export class TargetSession implements Session {
  readonly wordBytes: 8 | 4
  readonly isLive: boolean
  #now: Measurement
  #chunks: ChunkIndex | null

  constructor(
    readonly target: Target,
    readonly symbols: Symbols | null,
    first: Measurement,
    /** Set: the process stands still for each measurement. */
    private readonly holder: Holder | null = null,
  ) {
    this.wordBytes = target.wordBytes
    this.isLive = target.kind !== 'core'
    this.#now = first
    this.#chunks = this.#index()
  }

  get report(): Report {
    return this.#now.report
  }

  get pieces(): readonly Piece[] {
    return this.#now.pieces
  }

  /** As measured. @internal */
  get measurement(): Measurement {
    return this.#now
  }

  async refresh(): Promise<Report> {
    if (!this.isLive) return this.report
    this.target.refresh()
    this.#now = this.holder
      ? await measureStopped(this.target, this.symbols, this.holder)
      : this.target.halt
        ? await measureHalted(this.target, this.target.halt, this.symbols)
        : await measure(this.target, this.symbols)
    this.#chunks = this.#index()
    return this.report
  }

  read(start: Address, length: number): MemoryRead {
    const bytes = new Uint8Array(length)
    const known = new Uint8Array(length)
    let fault: string | null = null
    for (let at = 0; at < length; ) {
      const got = this.target.memory.read(offset(start, at), bytes.subarray(at))
      known.fill(1, at, at + got)
      at += got
      if (at >= length) break
      const missing = offset(start, at)
      fault ??= this.target.memory.fault(missing).message
      // What can be read again begins at a page boundary at the earliest.
      const pageEnd = at + (this.target.pageBytes - Number(missing & BigInt(this.target.pageBytes - 1)))
      bytes.fill(0, at, Math.min(length, pageEnd))
      at = pageEnd
    }
    return { start, bytes, known, fault }
  }

  chunksIn(start: Address, end: Address): readonly ChunkMark[] {
    return this.#chunks?.chunksIn(start, end) ?? []
  }

  chunkBatches(filter: ChunkFilter): Iterable<ChunkBatch> {
    const { malloc } = this.#now
    return malloc ? listChunks(this.target.memory, malloc.layout, malloc.model, filter) : []
  }

  processState(): string | null {
    return this.target.kind === 'live' && this.target.pid !== null ? processState(this.target.pid) : null
  }

  async symbolsOf(values: readonly bigint[]): Promise<readonly (string | null)[]> {
    if (!this.symbols) return values.map(() => null)
    return this.symbols.nearest(values.map((value) => address(BigInt.asUintN(64, value))))
  }

  async stacks(depth: number): Promise<ReadonlyMap<number, readonly string[]>> {
    const frames = await this.symbols?.backtraces(depth)
    return new Map([...(frames ?? [])].map(([tid, stack]) => [tid, stack.map(frameName)]))
  }

  describe(at: Address): Description {
    const piece = regionAt(this.#now.pieces, at)
    if (!piece) return { lines: [`${hex(at)} is not mapped`], regionStart: null }
    const lines: string[] = []
    const chunk = this.chunksIn(at, offset(at, 1))[0]
    if (chunk) lines.push(chunkText(chunk, at))
    const arena = this.#now.malloc?.model.arenas.find(
      ({ address: start }) => at >= start && at < start + BigInt(this.#now.malloc!.layout.arena.sizeBytes),
    )
    if (arena) lines.push(`malloc_state of arena ${arena.index}, ${hex(arena.address)}`)
    const { region } = piece
    const name = region.path === null ? 'anonymous memory' : region.path
    const place = region.path?.startsWith('/') ? ` + ${hex(at - region.start + region.fileOffset)}` : ''
    lines.push(`${piece.category}: ${name}${place} ${permissionText(region.permissions)}`)
    return { lines, regionStart: region.start }
  }

  nextMapped(at: Address, direction: 1 | -1): Address | null {
    const regions = this.target.regions()
    if (regionAt(regions, at)) return at
    if (direction === 1) return regions.find((region) => region.start > at)?.start ?? null
    const below = regions.findLast((region) => region.end <= at)
    return below ? offset(below.end, -1) : null
  }

  async close(): Promise<void> {
    this.holder?.close()
    await this.symbols?.close()
    this.target.close()
  }

  #index(): ChunkIndex | null {
    const { malloc } = this.#now
    return malloc && new ChunkIndex(this.target.memory, malloc.layout, malloc.model.arenas, !this.isLive)
  }
}

function holderOf(target: Target, gdbPath: string | undefined): Promise<Holder> {
  if (target.kind !== 'live' || target.pid === null)
    throw new TargetError('only a live process can be stopped', 'leave out --stop')
  return Holder.open(target.pid, gdbPath)
}

function chunkText(chunk: ChunkMark, at: Address): string {
  const where = `arena ${chunk.arenaIndex}`
  const inside = at === chunk.address ? '' : ` + ${hex(at - chunk.address)}`
  if (chunk.state === 'arena') return `heap header of ${where}, ${hex(chunk.address)}${inside}`
  const name =
    chunk.state === 'top' ? 'top chunk' : chunk.state === 'fencepost' ? 'fencepost' : `${chunk.state} chunk`
  return `${name} ${hex(chunk.address)}${inside} of ${where}, ${chunk.sizeBytes} bytes`
}

function frameName({ functionName, pc }: Frame): string {
  return functionName ?? hex(pc)
}
