// A watch as metrics for Prometheus: what the last sample says, and nothing of a process that is gone.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Finding } from '../findings/finding.js'
import type { ArenaSample, Sample } from './sample.js'
import type { WatchTarget } from './summary.js'

/** Upper bounds of the classes of sample durations. Seconds. */
const DURATION_BUCKETS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]

/** Gauges of one figure of a sample; unknown figures have no series. */
const FIGURES = [
  ['resident_bytes', 'Memory of the process in RAM (VmRSS).', 'rssBytes'],
  ['swap_bytes', 'Memory of the process in swap (VmSwap).', 'swapBytes'],
  ['virtual_bytes', 'Address space of the process (VmSize).', 'virtualBytes'],
  ['threads', 'Threads of the process.', 'threads'],
  ['arenas', 'malloc arenas, main_arena included.', 'arenas'],
  ['arenas_moving', 'Arenas that changed during every read of the last sample.', 'movingArenas'],
  ['heaps', 'Heap segments of all arenas.', 'heaps'],
  ['malloc_system_bytes', 'What all arenas hold (system_mem), mmapped chunks not counted.', 'systemBytes'],
  ['malloc_trim_returns_bytes', 'Resident memory that malloc_trim(0) would give back.', 'trimReturnsBytes'],
  ['mmapped_chunks', 'Chunks with a mapping of their own.', 'mmappedChunks'],
  ['mmapped_bytes', 'What those chunks hold.', 'mmappedBytes'],
  [
    'cgroup_used_bytes',
    'Memory charged to the control group that limits the process most.',
    'cgroupUsedBytes',
  ],
  ['cgroup_limit_bytes', 'Memory limit of that control group.', 'cgroupLimitBytes'],
  [
    'machine_available_bytes',
    'Memory that the machine can still give (MemAvailable).',
    'machineAvailableBytes',
  ],
] as const satisfies readonly (readonly [string, string, keyof Sample])[]

const PREFIX = 'arena_inspect_'

export class WatchMetrics {
  readonly #registry = new Registry()
  readonly #figures = FIGURES.map(([name, help, figure]) => ({ figure, gauge: this.#gauge(name, help) }))
  readonly #up = this.#gauge('target_up', '1 when the last sample of the process could be taken, else 0.')
  readonly #info = this.#gauge('target_info', 'Which process is watched; always 1.', [
    'pid',
    'executable',
    'glibc',
  ])
  readonly #ledger = this.#gauge(
    'ledger_bytes',
    'Resident memory by what holds it; the sum is near resident_bytes.',
    ['category'],
  )
  readonly #malloc = this.#gauge(
    'malloc_bytes',
    "All arenas' memory by state; the sum is malloc_system_bytes.",
    ['state'],
  )
  readonly #arena = this.#gauge(
    'arena_bytes',
    'An arena\'s memory by state; the sum is arena_system_bytes. The largest 64 arenas; the rest is arena="others".',
    ['arena', 'state'],
  )
  readonly #arenaSystem = this.#gauge('arena_system_bytes', 'What an arena holds (system_mem).', ['arena'])
  readonly #finding = this.#gauge('finding', 'A finding over time that holds now; always 1.', [
    'rule',
    'severity',
  ])
  readonly #last = this.#gauge('last_sample_timestamp_seconds', 'When reading of the last sample began.')
  readonly #duration = new Histogram({
    name: `${PREFIX}sample_duration_seconds`,
    help: 'How long samples took to read.',
    buckets: DURATION_BUCKETS,
    registers: [this.#registry],
  })
  readonly #errors = new Counter({
    name: `${PREFIX}sample_errors_total`,
    help: 'Samples that could not be taken.',
    registers: [this.#registry],
  })

  constructor(readonly target: WatchTarget) {
    this.#clear()
    this.#last.remove()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The exposition text. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  set(sample: Sample, findings: readonly Finding[]): void {
    this.#clear()
    const { pid, executable, glibcVersion } = this.target
    this.#up.set(1)
    this.#info.set({ pid: String(pid), executable: executable ?? '', glibc: glibcVersion ?? '' }, 1)
    for (const { figure, gauge } of this.#figures) setKnown(gauge, {}, sample[figure])
    for (const [category, bytes] of Object.entries(sample.categories ?? {})) {
      setKnown(this.#ledger, { category }, bytes)
    }
    const { inUseBytes, freeInBinsBytes, topBytes } = sample
    setKnown(this.#malloc, { state: 'in_use' }, inUseBytes)
    setKnown(this.#malloc, { state: 'bins' }, freeInBinsBytes)
    setKnown(this.#malloc, { state: 'top' }, topBytes)
    for (const arena of sample.byArena) this.#setArena(arena)
    if (sample.otherArenas) this.#setArena(sample.otherArenas)
    for (const { rule, severity } of findings) this.#finding.set({ rule, severity }, 1)
    this.#last.set(sample.atMs / 1000)
    this.#duration.observe(sample.tookMs / 1000)
  }

  /** A sample failed: what the one before said is of then, not of now. */
  fail(): void {
    this.#clear()
    this.#up.set(0)
    this.#errors.inc()
  }

  #setArena({ name, systemBytes, inUseBytes, fastbinBytes, binnedBytes, topBytes }: ArenaSample): void {
    setKnown(this.#arenaSystem, { arena: name }, systemBytes)
    const free = fastbinBytes === null || binnedBytes === null ? null : fastbinBytes + binnedBytes
    setKnown(this.#arena, { arena: name, state: 'in_use' }, inUseBytes)
    setKnown(this.#arena, { arena: name, state: 'bins' }, free)
    setKnown(this.#arena, { arena: name, state: 'top' }, topBytes)
  }

  #clear(): void {
    const told = [this.#info, this.#ledger, this.#malloc, this.#arena, this.#arenaSystem, this.#finding]
    for (const gauge of [...told, ...this.#figures.map(({ gauge }) => gauge)]) gauge.reset()
    // A gauge without labels goes back to 0 by reset; unknown is no series.
    for (const { gauge } of this.#figures) gauge.remove()
  }

  #gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({ name: PREFIX + name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }
}

function setKnown(gauge: Gauge, labels: Readonly<Record<string, string>>, value: number | null): void {
  if (value !== null) gauge.set(labels, value)
}
