// Records by perf: the kernel copies the stack of each call that maps memory, and the target never stops.
import { cpus } from 'node:os'
import { TargetError } from '../target/target.js'
import { LiveCode } from './live-code.js'
import { MallocBirths } from './malloc-births.js'
import { LEAST_HEAP_BYTES, PerfCalls } from './perf-calls.js'
import { firstLine, type PerfPlan, PerfProcess, recordArguments, runPerf } from './perf-process.js'
import { type PerfSample, PerfScript } from './perf-script.js'
import { PerfStacks } from './perf-stack.js'
import type { Recorder, RecorderOptions, Recording } from './trace-event.js'

const TRIAL_MS = 20_000
/** perf reads what the target has mapped before it records. */
const START_MS = 60_000
const FIRST_TICKS_MS = 50
const TICK_MS = 500

export const perfRecorder: Recorder = {
  name: 'perf',
  async whyNot(pid) {
    const { code, text } = await runPerf(['version', '--build-options'], TRIAL_MS)
    if (code === null) return 'there is no perf in PATH (install linux-perf, or linux-tools of this kernel)'
    if (code !== 0) return `perf does not run: ${firstLine(text)}`
    if (!/(?:libunwind|libdw-dwarf-unwind|libdw): +\[ on/.test(text)) {
      return 'this perf can walk no stacks (it was built without libunwind and libdw)'
    }
    const target = new LiveCode(pid)
    try {
      if (target.target.wordBytes === 4) return 'the kernel does not tell perf of 32-bit system calls'
      const args = recordArguments(planOf(target, 1 << 30))
      const trial = await runPerf([...args, '-o', '/dev/null', '--pid', String(pid), 'true'], TRIAL_MS)
      return trial.code === 0 ? null : refusal(trial.text)
    } finally {
      target.close()
    }
  },
  async start(options) {
    const recording = new PerfRecording(options)
    try {
      await recording.begin()
    } catch (error) {
      await recording.stop()
      throw error
    }
    return recording
  },
}

class PerfRecording implements Recording {
  readonly #options: RecorderOptions
  readonly #code: LiveCode
  readonly #births: MallocBirths
  readonly #stacks: PerfStacks
  readonly #calls: PerfCalls
  #feed: Feed | null = null
  #next: Promise<void> | null = null
  #hasExecuted = false
  #timer: NodeJS.Timeout | null = null
  #stopping: Promise<void> | null = null
  #resolveEnded: (why: string | null) => void = () => {}
  readonly ended = new Promise<string | null>((resolve) => {
    this.#resolveEnded = resolve
  })

  constructor({ pid, minimumBytes, onEvent }: RecorderOptions) {
    this.#options = { pid, minimumBytes, onEvent }
    this.#code = new LiveCode(pid)
    this.#stacks = new PerfStacks(this.#code)
    const { wordBytes, pageBytes } = this.#code.target
    this.#births = new MallocBirths(this.#code, wordBytes, minimumBytes, onEvent)
    this.#calls = new PerfCalls({
      pageBytes,
      minimumBytes,
      clockOffsetMs: () => Date.now() - monotonicMs(),
      stackOf: (sample) => this.#stacks.stackOf(sample),
      onEvent: (event, mayBeHeap) => {
        if (event.kind === 'exec') {
          this.#stacks.look()
          this.#hasExecuted = true
        }
        this.#births.push(event, mayBeHeap)
      },
    })
  }

  /** Resolves when it records. Throws TargetError. */
  async begin(): Promise<void> {
    const plan = planOf(this.#code, this.#options.minimumBytes)
    const feed = new Feed(this.#options.pid, plan, (sample) => this.#calls.add(sample))
    this.#feed = feed
    this.#calls.brkStacksFrom = plan.brkStacksFrom
    await feed.begin()
    this.#stacks.look()
    this.#calls.heapEndIs(heapEndOf(this.#code), monotonicMs())
    feed.flow()
    this.#watch(feed)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  #watch(feed: Feed): void {
    void feed.ended.then((why) => {
      if (this.#feed !== feed || this.#stopping) return
      this.#end()
      this.#resolveEnded(this.#code.isAlive() ? `perf ended: ${why}` : null)
    })
  }

  #tick(): void {
    this.#feed?.tick()
    this.#calls.tellLost()
    // perf waits on: the ticker lives.
    if (!this.#code.isAlive()) void this.#finish().then(() => this.#resolveEnded(null))
    else if (this.#hasExecuted && this.#next === null) {
      this.#hasExecuted = false
      this.#next = this.#renew().finally(() => {
        this.#next = null
      })
    }
  }

  /**
   * perf walks stacks only by where it first saw a library, and brk is filtered by where the heap was: after an exec
   * another perf takes over, without a gap.
   */
  async #renew(): Promise<void> {
    const [before, plan] = [this.#feed, planOf(this.#code, this.#options.minimumBytes)]
    const feed = new Feed(this.#options.pid, plan, (sample) => this.#calls.add(sample))
    try {
      await feed.begin()
    } catch (error) {
      await feed.stop()
      // The first one goes on as well as it can.
      if (error instanceof TargetError) return
      throw error
    }
    const atMs = monotonicMs()
    feed.sinceMs = atMs
    if (before) before.untilMs = atMs
    this.#feed = feed
    await before?.stop()
    this.#calls.brkStacksFrom = plan.brkStacksFrom
    feed.flow()
    this.#watch(feed)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#finish().then(() => {
      this.#code.close()
      this.#resolveEnded(null)
    })
    return this.#stopping
  }

  async #finish(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    await this.#next
    await this.#feed?.stop()
    this.#end()
  }

  /** Tells what is left. */
  #end(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    this.#calls.end()
    this.#births.flush()
  }
}

/** One perf, from its first sample on; samples are held until they may flow. */
class Feed {
  readonly #script: PerfScript
  readonly #process: PerfProcess
  #held: PerfSample[] | null = []
  readonly #onSample: (sample: PerfSample) => void
  readonly #ticked: Promise<void>
  readonly ended: Promise<string | null>
  /** Of the samples' clock: what lies outside is another feed's. */
  sinceMs = 0
  untilMs = Number.POSITIVE_INFINITY

  constructor(pid: number, plan: PerfPlan, onSample: (sample: PerfSample) => void) {
    this.#onSample = onSample
    let onTick = () => {}
    this.#ticked = new Promise((resolve) => {
      onTick = resolve
    })
    this.#script = new PerfScript((sample) => {
      if (sample.pid !== pid && sample.event !== 'lost') onTick()
      else if (this.#held) this.#held.push(sample)
      else this.#pass(sample)
    })
    this.#process = new PerfProcess(pid, recordArguments(plan), (text) => this.#script.write(text))
    this.ended = this.#process.ended.then((why) => {
      this.#script.end()
      return why
    })
  }

  /** Resolves when it records. Throws TargetError. */
  async begin(): Promise<void> {
    const ticks = setInterval(() => this.tick(), FIRST_TICKS_MS)
    const tooLate = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), START_MS).unref())
    const first = await Promise.race([this.#ticked, this.ended.then((why) => ({ why })), tooLate])
    clearInterval(ticks)
    if (first === 'late') {
      throw new TargetError(`perf told nothing within ${START_MS / 1000} s`, 'try --recorder gdb')
    }
    if (first) throw new TargetError(refusal(first.why ?? ''), 'try --recorder gdb')
  }

  flow(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const sample of held) this.#pass(sample)
  }

  #pass(sample: PerfSample): void {
    if (sample.atMs > this.sinceMs && sample.atMs <= this.untilMs) this.#onSample(sample)
  }

  tick(): void {
    this.#process.tick()
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    await this.ended
  }
}

function planOf(code: LiveCode, minimumBytes: number): PerfPlan {
  return {
    minimumBytes,
    pageBytes: code.target.pageBytes,
    brkStacksFrom: (heapEndOf(code) ?? 0n) + BigInt(minimumBytes),
    leastHeapBytes: LEAST_HEAP_BYTES,
    cpus: cpus().length,
  }
}

function heapEndOf(code: LiveCode): bigint | null {
  return code.regions().findLast(({ path }) => path === '[heap]')?.end ?? null
}

/** Milliseconds of CLOCK_MONOTONIC, which perf is told to use. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Why perf may not watch, with what would allow it. */
function refusal(text: string): string {
  if (/too many open files|EMFILE/i.test(text)) {
    return 'perf needs a file for each thread, CPU and event, more than it may open (ulimit -n)'
  }
  if (/permission|not permitted|EACCES|EPERM|paranoid/i.test(text)) {
    return 'perf is not allowed to watch it (run as root; in a container, with --cap-add PERFMON and a seccomp profile that allows perf_event_open)'
  }
  if (/tracefs|debugfs|unknown tracepoint|tracing\/events/i.test(text)) {
    return "the kernel's trace events cannot be read here (mount -t tracefs tracefs /sys/kernel/tracing)"
  }
  return `perf does not record: ${firstLine(text)}`
}
