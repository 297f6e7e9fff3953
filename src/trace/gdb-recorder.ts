// Records by gdb: it catches the system calls that map memory and walks the stack. Works where perf is not allowed to.
import { address } from '../memory/address.js'
import { listFeatures } from '../mi/commands.js'
import { GdbSession } from '../mi/gdb-session.js'
import { MiError } from '../mi/mi-error.js'
import { missingGdb } from '../mi/missing-gdb.js'
import { isNodeError } from '../target/elf/node-error.js'
import { scriptArguments } from '../target/gdb/script-path.js'
import { StagedFiles } from '../target/gdb/staged-files.js'
import { copyVdso, type VdsoFile } from '../target/gdb/vdso-file.js'
import { readTextOrNull } from '../target/live/proc-file.js'
import { type Module, TargetError } from '../target/target.js'
import { GdbLine, type GdbLineEvent, type GdbTraceModule, type GdbTracePlan } from './gdb-line.js'
import { LiveCode, moduleExtents } from './live-code.js'
import { MallocBirths } from './malloc-births.js'
import type { Recorder, RecorderOptions, Recording, TraceEvent } from './trace-event.js'

const SCRIPTS = ['arena_inspect_trace_parts.py', 'arena_inspect_trace.py'] as const
const TICK_MS = 500
/** Large programs take gdb a while to read. */
const START_MS = 10 * 60_000
const STOP_MS = 20_000
const LOOK_AGAIN_MS = 100
/** Ends of a gdb after which another one takes over. */
const AGAIN: Readonly<Record<string, string>> = {
  stopped: 'the process was stopped by a signal',
  moved: 'the process executed another program, and gdb had to start anew',
}

export const gdbRecorder: Recorder = {
  name: 'gdb',
  async whyNot(pid) {
    const missing = missingGdb()
    if (missing) return `${missing.gdbMessage} (${missing.hint})`
    const tracer = tracerOf(pid)
    return tracer === null
      ? null
      : `process ${pid} is traced by process ${tracer} (gdb or strace): a process has one tracer`
  },
  async start(options) {
    const recording = new GdbRecording(options)
    try {
      await recording.begin()
    } catch (error) {
      await recording.stop()
      if (error instanceof MiError) throw new TargetError(error.gdbMessage, error.hint)
      throw error
    }
    return recording
  },
}

class GdbRecording implements Recording {
  readonly #options: RecorderOptions
  readonly #code: LiveCode
  readonly #births: MallocBirths
  #session: GdbSession | null = null
  #line: GdbLine | null = null
  #vdso: VdsoFile | null = null
  readonly #staged = new StagedFiles()
  #timer: NodeJS.Timeout | null = null
  #ticking = false
  #end: Extract<GdbLineEvent, { readonly k: 'end' }> | null = null
  #stopping: Promise<void> | null = null
  #resolveEnded: (why: string | null) => void = () => {}
  readonly ended = new Promise<string | null>((resolve) => {
    this.#resolveEnded = resolve
  })

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#code = new LiveCode(options.pid)
    const { wordBytes } = this.#code.target
    this.#births = new MallocBirths(this.#code, wordBytes, options.minimumBytes, options.onEvent)
  }

  /** Attaches; resolves when it records. Throws MiError, TargetError. */
  async begin(): Promise<void> {
    await this.#notStopped()
    this.#end = null
    const recording = new Promise<void>((resolve) => {
      this.#onRecording = resolve
    })
    this.#line = await GdbLine.open((event) => this.#onLine(event))
    const line = this.#line
    this.#session = await this.#startGdb()
    this.#code.refresh()
    const { machine, wordBytes, pageBytes } = this.#code.target
    const { pid, minimumBytes } = this.#options
    const socket = line.socketPath
    const modules = this.#modules()
    const plan: GdbTracePlan = { pid, socket, machine, wordBytes, pageBytes, minimumBytes, modules }
    await this.#session.console(`arena-inspect-trace ${line.file(plan)}`, { timeoutMs: START_MS })
    await Promise.race([recording, line.closed])
    // Set by what came over the line meanwhile.
    const end = this.#end as Extract<GdbLineEvent, { readonly k: 'end' }> | null
    if (end && end.why !== 'exited' && !(end.why in AGAIN)) throw refusal(pid, end.what ?? end.why)
    void line.closed.then(() => this.#closed())
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  #onRecording: () => void = () => {}

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const [session, line] = [this.#session, this.#line]
    if (session && line && !session.over && this.#end === null) {
      // gdb may be busy with events of the process: they come first.
      await session.console('arena-inspect-trace-stop', { timeoutMs: STOP_MS }).catch(() => {})
    }
    await this.#letGo()
    this.#staged.remove()
    this.#births.flush()
    this.#code.close()
    this.#resolveEnded(null)
  }

  async #letGo(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    await this.#session?.close()
    this.#session = null
    this.#line?.close()
    this.#line = null
    this.#vdso?.remove()
    this.#vdso = null
  }

  /** A process that stands still by a signal maps nothing, and must not be woken by being attached to. */
  async #notStopped(): Promise<void> {
    while (this.#stopping === null && /^State:\s*T/m.test(this.#status())) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }

  #status(): string {
    return readTextOrNull(`/proc/${this.#options.pid}/status`) ?? ''
  }

  async #startGdb(): Promise<GdbSession> {
    const { gdbPath } = this.#options
    const session = await GdbSession.start({
      ...(gdbPath === undefined ? {} : { gdbPath }),
      spared: true,
      args: scriptArguments(SCRIPTS),
    })
    if ((await listFeatures(session)).includes('python')) return session
    await session.close()
    throw new TargetError('this gdb has no Python, which does the tracing', 'use another gdb with --gdb PATH')
  }

  #modules(): GdbTraceModule[] {
    const byFile = new Map<string, GdbTraceModule & { readonly extents: [number, number][] }>()
    for (const { module, start, end } of moduleExtents(this.#code)) {
      const { loadBias, buildId } = module
      const file = this.#fileOf(module)
      if (file === null || loadBias === null || /["\\\n]/.test(file)) continue
      const key = `${file} ${loadBias}`
      const known = byFile.get(key) ?? { file, buildId, bias: Number(loadBias), extents: [] }
      known.extents.push([Number(start), Number(end)])
      byFile.set(key, known)
    }
    const region = this.#code.regions().find(({ path }) => path === '[vdso]')
    const modules: GdbTraceModule[] = [...byFile.values()]
    // The script takes another file at the same place for another program's.
    if (region && this.#vdso?.base !== region.start) {
      this.#vdso?.remove()
      this.#vdso = copyVdso(this.#code.target)
    }
    if (this.#vdso && region) {
      const extents = [[Number(region.start), Number(region.end)]] as const
      modules.push({ file: this.#vdso.path, buildId: null, bias: Number(this.#vdso.base), extents })
    }
    return modules
  }

  /** Where gdb opens it; null: its frames end a stack, which is then marked as cut. */
  #fileOf({ file, path }: Module): string | null {
    try {
      return file === null ? null : this.#staged.pathOf(file, path)
    } catch (error) {
      if (isNodeError(error)) return null
      throw error
    }
  }

  #onLine(event: GdbLineEvent): void {
    if (event.k === 'recording') this.#onRecording()
    else if (event.k === 'modules') void this.#answerModules()
    else if (event.k === 'end') {
      this.#end = event
      if (event.lost > 0) this.#births.push({ kind: 'lost', atMs: Date.now(), count: event.lost })
    } else this.#births.push(eventOf(event), event.k === 'map' && event.h)
  }

  async #answerModules(): Promise<void> {
    const [session, line] = [this.#session, this.#line]
    if (!session || !line) return
    try {
      this.#code.refresh()
      await session.console(`arena-inspect-trace-modules ${line.file(this.#modules())}`, {
        timeoutMs: START_MS,
      })
    } catch (error) {
      // Gone, or gdb is: the line's end tells.
      if (!(error instanceof TargetError) && !(error instanceof MiError)) throw error
    }
  }

  #tick(): void {
    if (this.#ticking || !this.#session) return
    this.#ticking = true
    const done = () => {
      this.#ticking = false
    }
    this.#session.console('arena-inspect-trace-tick', { timeoutMs: START_MS }).then(done, done)
  }

  /** The script has let go of the process, or its gdb is dead. */
  async #closed(): Promise<void> {
    if (this.#stopping) return
    const end = this.#end
    const sinceMs = Date.now()
    await this.#letGo()
    const why = end ? AGAIN[end.why] : undefined
    if (why !== undefined) {
      try {
        await this.begin()
        if (this.#stopping === null)
          this.#births.push({ kind: 'gap', atMs: sinceMs, untilMs: Date.now(), why })
      } catch (error) {
        if (!(error instanceof MiError) && !(error instanceof TargetError)) throw error
        this.#births.flush()
        this.#resolveEnded(this.#code.isAlive() ? error.message : null)
      }
      return
    }
    this.#births.flush()
    if (end?.why === 'exited' || !this.#code.isAlive()) this.#resolveEnded(null)
    else this.#resolveEnded(end ? `gdb gave up: ${end.what ?? end.why}` : 'gdb was killed, or died')
  }
}

function eventOf(event: Extract<GdbLineEvent, { readonly t: number }>): TraceEvent {
  const atMs = event.t
  switch (event.k) {
    case 'lost':
      return { kind: 'lost', atMs, count: event.n }
    case 'exec':
      return { kind: 'exec', atMs }
    case 'unmap':
      return { kind: 'unmap', atMs, address: address(BigInt(event.a)), bytes: event.b }
    case 'move':
      return {
        kind: 'move',
        atMs,
        from: address(BigInt(event.f)),
        to: address(BigInt(event.a)),
        bytes: event.b,
      }
    case 'map':
      return {
        kind: 'map',
        call: event.c,
        atMs,
        tid: event.i,
        threadName: event.n,
        address: address(BigInt(event.a)),
        bytes: event.b,
        mallocBirth: null,
        stack: event.s.length === 0 ? null : { pcs: event.s.map(BigInt), cut: event.cut },
      }
  }
}

function tracerOf(pid: number): number | null {
  const tracer = Number(/^TracerPid:\s*(\d+)/m.exec(readTextOrNull(`/proc/${pid}/status`) ?? '')?.[1] ?? 0)
  return tracer === 0 ? null : tracer
}

function refusal(pid: number, why: string): TargetError {
  const tracer = tracerOf(pid)
  if (tracer !== null) {
    return new TargetError(
      `process ${pid} is traced by process ${tracer}: a process has one tracer`,
      'end that gdb or strace first',
    )
  }
  const first = why.split('\n').at(-1)!
  const isDenied = /not permitted/i.test(first)
  return new TargetError(
    `gdb cannot attach to process ${pid}: ${first}`,
    isDenied
      ? 'run as root; in a container, start it with `--cap-add SYS_PTRACE`'
      : 'run again with --recorder perf',
  )
}
