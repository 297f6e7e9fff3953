// One trace from its start to its end: recorder, state, symbols, and a document every now and then.
import { MiError } from '../mi/mi-error.js'
import type { GdbOptions } from '../target/gdb/gdb-options.js'
import type { ChosenRecorder } from './choose-recorder.js'
import { LiveCode } from './live-code.js'
import { symbolize } from './symbolize.js'
import { TRACE_SCHEMA, type Trace, type TraceEnding } from './trace.js'
import { type TraceCounts, TraceState } from './trace-state.js'

export interface RunTraceOptions extends Pick<GdbOptions, 'gdbPath'> {
  readonly pid: number
  readonly minimumBytes: number
  readonly chosen: ChosenRecorder
  readonly toolVersion: string
  /** Ends by itself after so long; absent: never. */
  readonly forMs?: number
  /** Aborted: the trace ends, with `endingOf(signal)`. */
  readonly signal: AbortSignal
  readonly endingOf: (signal: AbortSignal) => TraceEnding
  readonly onRecording?: () => void
  readonly onCounts?: (counts: TraceCounts) => void
  /** Gets the trace so far, each minute. */
  readonly onSave?: (trace: Trace) => void
  /** Something for people that does not end the trace. */
  readonly onNote?: (note: string) => void
  /** For tests; default each minute. */
  readonly saveEveryMs?: number
}

const COUNTS_EVERY_MS = 500
const SAVE_EVERY_MS = 60_000
/** Node's timers take no longer one. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Records until it is told to end, and returns the whole trace. Throws TargetError when it cannot begin. */
export async function runTrace(options: RunTraceOptions): Promise<Trace> {
  const code = new LiveCode(options.pid)
  try {
    return await new Run(options, code).run()
  } finally {
    code.close()
  }
}

class Run {
  readonly #options: RunTraceOptions
  readonly #code: LiveCode
  readonly #state: TraceState
  readonly #startedAtMs = Date.now()
  readonly #executable: string | null
  #saving: Promise<unknown> | null = null
  /** Frames that were looked up already, successfully or not. */
  #framesTried = 0

  constructor(options: RunTraceOptions, code: LiveCode) {
    this.#options = options
    this.#code = code
    this.#state = new TraceState(code)
    this.#executable = code.target.executable
  }

  async run(): Promise<Trace> {
    const { pid, minimumBytes, gdbPath, chosen, signal } = this.#options
    const recording = await chosen.recorder.start({
      pid,
      minimumBytes,
      onEvent: (event) => this.#state.add(event),
      ...(gdbPath === undefined ? {} : { gdbPath }),
    })
    try {
      // At once, since a file that cannot be written should not be found out a minute later.
      this.#options.onSave?.(this.#trace('still-running', null))
    } catch (error) {
      await recording.stop()
      throw error
    }
    this.#options.onRecording?.()
    const counts = setInterval(() => this.#options.onCounts?.(this.#state.counts()), COUNTS_EVERY_MS)
    const saves = setInterval(() => this.#save(), this.#options.saveEveryMs ?? SAVE_EVERY_MS)
    let ending: TraceEnding
    let why: string | null = null
    try {
      const end = await this.#end(recording.ended)
      if (end === 'aborted') ending = this.#options.endingOf(signal)
      else if (end === 'time-is-up') ending = end
      else [ending, why] = end.why === null ? ['target-ended', null] : ['recorder-failed', end.why]
    } finally {
      clearInterval(counts)
      clearInterval(saves)
      await recording.stop()
    }
    await this.#saving
    // Of a target that has ended there are no maps: what it had at its end counts.
    this.#state.checkAgainstMaps(Date.now())
    await this.#name()
    return this.#trace(ending, why)
  }

  async #end(ended: Promise<string | null>): Promise<'aborted' | 'time-is-up' | { why: string | null }> {
    const { signal, forMs } = this.#options
    let timer: NodeJS.Timeout | undefined
    let onAbort: (() => void) | undefined
    const told = new Promise<'aborted' | 'time-is-up'>((resolve) => {
      onAbort = () => resolve('aborted')
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      const until = this.#startedAtMs + (forMs ?? Number.POSITIVE_INFINITY)
      const wait = () => {
        const leftMs = until - Date.now()
        if (leftMs <= 0) resolve('time-is-up')
        else timer = setTimeout(wait, Math.min(leftMs, LONGEST_TIMER_MS))
      }
      if (forMs !== undefined) wait()
    })
    try {
      return await Promise.race([told, ended.then((why) => ({ why }))])
    } finally {
      clearTimeout(timer)
      if (onAbort) signal.removeEventListener('abort', onAbort)
    }
  }

  /** One at a time; a late one is left out. */
  #save(): void {
    if (this.#saving || !this.#options.onSave) return
    this.#saving = (async () => {
      this.#state.checkAgainstMaps(Date.now())
      await this.#name()
      this.#options.onSave?.(this.#trace('still-running', null))
    })()
      .catch((error: unknown) => {
        this.#options.onNote?.(`not saved: ${error instanceof Error ? error.message : String(error)}`)
      })
      .finally(() => {
        this.#saving = null
      })
  }

  /** Names the frames that are new; a trace without names can be given them later. */
  async #name(): Promise<void> {
    const { places } = this.#state
    const from = this.#framesTried
    const frames = places.frames.slice(from)
    if (frames.length === 0) return
    this.#framesTried = places.frames.length
    try {
      const { gdbPath, pid } = this.#options
      const named = await symbolize(
        { modules: places.modules, frames },
        {
          ...(gdbPath === undefined ? {} : { gdbPath }),
          fileOf: (module) => places.fileOf(module),
          pid,
        },
      )
      named.frames.forEach((frame, index) => {
        places.frames[from + index] = frame
      })
    } catch (error) {
      if (!(error instanceof MiError)) throw error
      this.#options.onNote?.(`no names of functions: ${error.gdbMessage} (${error.hint})`)
    }
  }

  #trace(ending: TraceEnding, endingWhy: string | null): Trace {
    const { pid, chosen, minimumBytes, toolVersion } = this.#options
    return {
      schema: TRACE_SCHEMA,
      tool: { name: 'arena-inspect', version: toolVersion },
      target: { pid, executable: this.#executable, machine: this.#code.target.machine },
      recorder: chosen.recorder.name,
      recorderWhy: chosen.why,
      minimumBytes,
      startedAtMs: this.#startedAtMs,
      endedAtMs: Date.now(),
      ending,
      endingWhy,
      ...this.#state.parts(),
    }
  }
}
