// Opens a target with what gdb knows of it, measures it, and answers what interactive views ask.
import type { RuleSettings } from '../findings/thresholds.js'
import { type ChunkFacts, ChunkFactsIndex, type ChunkLink } from '../malloc/chunks/chunk-facts.js'
import { ChunkIndex } from '../malloc/chunks/chunk-index.js'
import { type ChunkBatch, type ChunkFilter, listChunks } from '../malloc/chunks/list-chunks.js'
import type { HeapProgress } from '../malloc/read-heap-model.js'
import type { Piece } from '../maps/categorize.js'
import { type Address, address, offset } from '../memory/address.js'
import { type SearchStep, searchMemory } from '../memory/search.js'
import type { Report } from '../report/report.js'
import { openSymbols, type SymbolsOptions } from '../target/gdb/open-symbols.js'
import { Holder } from '../target/live/hold.js'
import { processState } from '../target/live/process-state.js'
import { openTargetUnpacked, type TargetChoice } from '../target/open.js'
import { type Frame, type Symbols, type Target, TargetError } from '../target/target.js'
import type { UnpackProgress } from '../target/unpack/unpack-core.js'
import { chunkText } from './chunk-text.js'
import type { HeapRow, InspectedSession } from './inspected-session.js'
import { type Measurement, measure } from './measure.js'
import { measureHalted } from './measure-halted.js'
import { measureStopped } from './measure-stopped.js'
import { parseNeedle } from './needle.js'
import { describePlace, nextMapped, stackNames } from './places.js'
import { provisional } from './provisional.js'
import { searchableSpans } from './searchable.js'
import type { ChunkMark, Description, MemoryRead } from './session.js'

export interface SessionOptions extends Omit<SymbolsOptions, 'corePath'> {
  /** Called while arenas are measured. */
  readonly progress?: HeapProgress
  /**
   * Called as soon as the target's memory can be read, with the session that will be the answer: until then its report is
   * `provisional`. Not for targets that stand still while they are measured.
   */
  readonly early?: (session: TargetSession) => void
  /** Called while a compressed core is unpacked: packed bytes read, of all. */
  readonly unpackProgress?: UnpackProgress
  /** False: gdb is not started; no symbols, the layout comes from memory. */
  readonly useGdb?: boolean
  /**
   * True: where a core's own memory leaves no doubt about malloc (`readWhenSure`), gdb is not asked about it; starting
   * gdb costs as much as reading gigabytes of heaps. Default: debug information first.
   */
  readonly gdbOnlyInDoubt?: boolean
  /** Thresholds and rules that differ from the defaults. */
  readonly rules?: RuleSettings | undefined
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
    if (options.early && !holder && !target.halt)
      return await openEarly(target, symbols, options, options.early)
    const progress = options.progress ? { progress: options.progress } : {}
    const { rules } = options
    const measured = holder
      ? await measureStopped(target, symbols, holder, { ...progress, rules })
      : target.halt
        ? await measureHalted(target, target.halt, symbols, { ...progress, rules })
        : await measure(target, symbols, { ...progress, rules, onlyInDoubt: options.gdbOnlyInDoubt === true })
    return new TargetSession(target, symbols, measured, holder, rules)
  } catch (error) {
    holder?.close()
    await symbols?.close()
    target.close()
    throw error
  }
}

async function openEarly(
  target: Target,
  symbols: Symbols | null,
  options: SessionOptions,
  early: (session: TargetSession) => void,
): Promise<TargetSession> {
  const session = new TargetSession(target, symbols, provisional(target, []), null, options.rules)
  early(session)
  const progress: HeapProgress = async (done, known, glimpses) => {
    if (done === 0) session.conclude(provisional(target, glimpses))
    await options.progress?.(done, known, glimpses)
  }
  session.conclude(
    await measure(target, symbols, {
      progress,
      rules: options.rules,
      onlyInDoubt: options.gdbOnlyInDoubt === true,
    }),
  )
  return session
}

/** The Session over one Target; owns the target and its symbols until `close`. */
export class TargetSession implements InspectedSession {
  readonly wordBytes: 8 | 4
  readonly isLive: boolean
  #now: Measurement
  #chunks: ChunkIndex | null
  #facts: ChunkFactsIndex | null = null

  constructor(
    readonly target: Target,
    readonly symbols: Symbols | null,
    first: Measurement,
    /** Set: the process stands still for each measurement. */
    private readonly holder: Holder | null = null,
    readonly rules?: RuleSettings | undefined,
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

  /**
   * What was measured takes the place of what was known before.
   * @internal
   */
  conclude(measured: Measurement): void {
    this.#now = measured
    this.#chunks = this.#index()
    this.#facts = null
  }

  async refresh(): Promise<Report> {
    if (!this.isLive) return this.report
    const { rules } = this
    this.target.refresh()
    this.conclude(
      this.holder
        ? await measureStopped(this.target, this.symbols, this.holder, { rules })
        : this.target.halt
          ? await measureHalted(this.target, this.target.halt, this.symbols, { rules })
          : await measure(this.target, this.symbols, { rules }),
    )
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
    return stackNames(await this.frames(depth))
  }

  describe(at: Address): Description {
    const { malloc } = this.#now
    const chunk = this.chunksIn(at, offset(at, 1))[0]
    const facts = chunk ? this.#factsOf(chunk) : null
    const states = (malloc?.model.arenas ?? []).map(({ index, address: start }) => {
      return { index, address: start, bytes: malloc!.layout.arena.sizeBytes }
    })
    const mmapped = malloc?.model.mmapped.found ?? []
    return describePlace(at, this.#now.pieces, facts && chunkText(facts, at, malloc!), mmapped, states)
  }

  linksOf(chunk: ChunkMark): readonly ChunkLink[] {
    return this.#factsOf(chunk)?.links ?? []
  }

  search(text: string, from: Address | null, direction: 1 | -1): Iterable<SearchStep> {
    const { memory, pageBytes } = this.target
    const { bytes, alignBytes } = parseNeedle(text, this.wordBytes)
    const options = { bytes, alignBytes, from, direction, pageBytes }
    return searchMemory(memory, searchableSpans(this.target), options)
  }

  nextMapped(at: Address, direction: 1 | -1): Address | null {
    return nextMapped(this.target.regions(), at, direction)
  }

  heaps(): readonly HeapRow[] {
    const arenas = this.#now.malloc?.model.arenas ?? []
    return arenas.flatMap(({ index, heaps }) => heaps.map((heap) => ({ arena: index, ...heap })))
  }

  async addressesOf(names: readonly string[]): Promise<ReadonlyMap<string, Address>> {
    return (await this.symbols?.addressesOf(names)) ?? new Map()
  }

  get symbolsProblem(): string | null {
    return this.symbols?.warnings[0] ?? null
  }

  async frames(depth: number): Promise<ReadonlyMap<number, readonly Frame[]>> {
    return (await this.symbols?.backtraces(depth)) ?? new Map()
  }

  async close(): Promise<void> {
    this.holder?.close()
    await this.symbols?.close()
    this.target.close()
  }

  #factsOf(chunk: ChunkMark): ChunkFacts | null {
    const { malloc } = this.#now
    if (!malloc) return null
    this.#facts ??= new ChunkFactsIndex(this.target.memory, malloc.layout, malloc.model, !this.isLive)
    return this.#facts.factsOf(chunk)
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
