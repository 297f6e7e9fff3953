// `arena-inspect trace`: who maps the memory of a live process; `trace show` and `trace symbolize` for what was saved.
import { type Command, Option } from 'commander'
import { durationText } from '../../format/durations.js'
import { bytesText, countText } from '../../format/sizes.js'
import { chooseRecorder } from '../../trace/choose-recorder.js'
import { gdbRecorder } from '../../trace/gdb-recorder.js'
import { perfRecorder } from '../../trace/perf-recorder.js'
import { runTrace } from '../../trace/run-trace.js'
import { lossText } from '../../trace/stack-text.js'
import { symbolize } from '../../trace/symbolize.js'
import type { Trace, TraceEnding } from '../../trace/trace.js'
import type { Recorder } from '../../trace/trace-event.js'
import { readTrace, writeWhole } from '../../trace/trace-file.js'
import type { TraceCounts } from '../../trace/trace-state.js'
import { byteCount } from '../byte-count.js'
import { durationMs } from '../duration.js'
import { finishing } from '../ending.js'
import { CommandError, EXIT, type ExitCode, UsageError } from '../exit.js'
import { LiveLine } from '../live-line.js'
import { packageVersion } from '../package-version.js'
import { chooseTarget } from '../target-arguments.js'
import { say } from '../terminal.js'
import { renderTrace, TRACE_FORMATS, type TraceFormat } from '../trace-formats.js'

export interface TraceOptions {
  readonly pid?: string
  readonly min: string
  readonly for?: string
  readonly output?: string
  readonly format?: TraceFormat
  readonly recorder?: Recorder['name']
  readonly gdb: string
  readonly debug?: boolean
}

/** Best first: perf costs the target least. */
const RECORDERS: readonly Recorder[] = [perfRecorder, gdbRecorder]

const ENDINGS: Readonly<Record<number, TraceEnding>> = {
  [EXIT.SIGINT]: 'SIGINT',
  [EXIT.SIGTERM]: 'SIGTERM',
  [EXIT.SIGHUP]: 'SIGHUP',
}

function formatOption(): Option {
  return new Option('--format <format>', 'what to write: json is the whole trace').choices([...TRACE_FORMATS])
}

/** Adds `trace` with its own commands; `done` gets the exit code. */
export function addTrace(root: Command, done: (code: ExitCode) => void): void {
  const trace = root
    .command('trace')
    .description('who maps the memory of a live process, with full stacks; and each birth of a malloc arena')
    .option('--pid <n>', 'the live process')
    .option('--min <size>', 'calls below this size are not told', '60M')
    .option('--for <time>', 'how long: 90s, 2d; until Ctrl-C or the end of the process when not given')
    .option('-o, --output <file>', 'write there, each minute and at the end (default format: json)')
    .addOption(formatOption())
    .addOption(
      new Option('--recorder <name>', 'default: perf where it is allowed, else gdb').choices(['perf', 'gdb']),
    )
    .option('--gdb <path>', 'the gdb to run', 'gdb')
    .option('--debug', 'show stack traces of errors')
    .addHelpText(
      'after',
      '\nExamples:\n  arena-inspect trace --pid 6 --min 60M\n  arena-inspect trace --pid 6 --min 1M --for 2d -o maps.json\n  arena-inspect trace show maps.json --format speedscope > maps.speedscope.json\n',
    )
    .action(async (options: TraceOptions) => done(await runTraceCommand(options)))
  trace
    .command('show')
    .description('a saved trace in any format')
    .argument('<file>', 'what `trace -o` wrote as json')
    .addOption(formatOption().default('text'))
    .option('-o, --output <file>', 'write there instead of stdout')
    .action((file: string, options: ShowOptions) => done(show(file, options)))
  trace
    .command('symbolize')
    .description('names for the stacks of a saved trace, from files with the same build-ids on this machine')
    .argument('<file>', 'what `trace -o` wrote as json')
    .option('-o, --output <file>', 'write there instead of back into the file')
    .option('--symbols <folder...>', 'search these folders for files with the build-ids')
    .option('--gdb <path>', 'the gdb to run', 'gdb')
    .option('--strict', 'exit with 4 when a module was not found')
    .action(async (file: string, options: SymbolizeCommandOptions) =>
      done(await symbolizeFile(file, options)),
    )
}

async function runTraceCommand(options: TraceOptions): Promise<ExitCode> {
  if (options.pid === undefined) throw new UsageError('name the process with --pid N', 'see `pgrep -a NAME`')
  const { choice } = chooseTarget([], { ...options, pid: options.pid, color: false })
  const pid = choice.kind === 'live' ? choice.pid : Number(options.pid)
  const minimumBytes = byteCount(options.min, '--min')
  const forMs = options.for === undefined ? undefined : durationMs(options.for, '--for')
  const format = options.format ?? (options.output === undefined ? 'text' : 'json')
  const chosen = await chooseRecorder(pid, RECORDERS, options.recorder ?? null)
  say(`recording with ${chosen.recorder.name} (${chosen.why})`)
  const line = new LiveLine()
  const startedAt = performance.now()
  return finishing(async (signal) => {
    const trace = await runTrace({
      pid,
      minimumBytes,
      chosen,
      toolVersion: packageVersion(),
      ...(forMs === undefined ? {} : { forMs }),
      gdbPath: options.gdb,
      signal,
      endingOf: ({ reason }) => ENDINGS[reason as number] ?? 'SIGTERM',
      onRecording: () => say(`watching process ${pid}; Ctrl-C ends it, the process runs on`),
      onCounts: (counts) => line.show(countsText(counts, performance.now() - startedAt)),
      onNote: (note) => {
        line.clear()
        say(note)
      },
      ...(options.output === undefined
        ? {}
        : { onSave: (sofar: Trace) => write(options.output!, renderTrace(sofar, format)) }),
    }).finally(() => line.clear())
    return finish(trace, options.output, format)
  })
}

function finish(trace: Trace, file: string | undefined, format: TraceFormat): ExitCode {
  const text = renderTrace(trace, format)
  if (file === undefined) process.stdout.write(text)
  else {
    write(file, text)
    const { mapped, births } = trace
    const shown = format === 'json' ? `; \`arena-inspect trace show ${file}\` shows them` : ''
    say(
      `wrote ${file}: ${countText(mapped.calls)} calls, ${bytesText(mapped.bytes)}; ${countText(births.arenas)} arenas born${shown}`,
    )
  }
  const loss = lossText(trace)
  if (loss !== null) say(loss)
  if (trace.ending !== 'recorder-failed') return EXIT.done
  say(`the trace ended early: ${trace.endingWhy ?? 'the recorder failed'}`)
  return EXIT.failed
}

function countsText(
  { calls, bytes, stillMappedBytes, arenas, lost }: TraceCounts,
  elapsedMs: number,
): string {
  return [
    `${countText(calls)} calls`,
    `${bytesText(bytes)} (${bytesText(stillMappedBytes)} still mapped)`,
    `${countText(arenas)} arenas born`,
    `${countText(lost)} lost`,
    durationText(elapsedMs),
  ].join(' · ')
}

interface ShowOptions {
  readonly format: TraceFormat
  readonly output?: string
}

function show(file: string, { format, output }: ShowOptions): ExitCode {
  const trace = readTrace(file)
  const text = renderTrace(trace, format)
  if (output === undefined) process.stdout.write(text)
  else write(output, text)
  const loss = lossText(trace)
  if (loss !== null) say(loss)
  return EXIT.done
}

interface SymbolizeCommandOptions {
  readonly output?: string
  readonly symbols?: readonly string[]
  readonly gdb: string
  readonly strict?: boolean
}

async function symbolizeFile(file: string, options: SymbolizeCommandOptions): Promise<ExitCode> {
  const trace = readTrace(file)
  const before = trace.frames.filter((frame) => frame.function !== null).length
  const { frames, missing } = await symbolize(trace, { gdbPath: options.gdb, folders: options.symbols ?? [] })
  for (const { path, buildId, why } of missing) {
    say(`no symbols for ${path}${buildId === null ? '' : ` (build-id ${buildId})`}: ${why}`)
  }
  const output = options.output ?? file
  write(output, renderTrace({ ...trace, frames }, 'json'))
  const named = frames.filter((frame) => frame.function !== null).length
  say(
    `${countText(named)} of ${countText(frames.length)} places in code have names, ${countText(named - before)} of them new; wrote ${output}`,
  )
  return options.strict && missing.length > 0 ? EXIT.partial : EXIT.done
}

function write(file: string, text: string): void {
  try {
    writeWhole(file, text)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new CommandError(`cannot write ${file} (${String(error.code)})`, 'choose another file with -o')
  }
}
