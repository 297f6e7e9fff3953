#!/usr/bin/env node
// The command line: arguments to commands, errors to one line and an exit code.
import { Command, CommanderError, Option } from 'commander'
import { CHUNK_STATES } from '../malloc/chunks/list-chunks.js'
import { GROUPINGS } from '../maps/group-regions.js'
import { type ArenasOptions, runArenas } from './commands/arenas.js'
import { addBatch } from './commands/batch.js'
import { type BinsOptions, runBins } from './commands/bins.js'
import { type ChunksOptions, runChunks } from './commands/chunks.js'
import { addCompletion } from './commands/completion.js'
import { addDap } from './commands/dap.js'
import { type DemoOptions, runDemo } from './commands/demo.js'
import { addDiff } from './commands/diff.js'
import { type FindOptions, runFind, withFindOptions } from './commands/find.js'
import { type HeapsOptions, runHeaps } from './commands/heaps.js'
import { type LimitOptions, runLimit } from './commands/limit.js'
import { type MapsOptions, runMaps } from './commands/maps.js'
import { runOpen } from './commands/open.js'
import { type ReportOptions, runReport, withReportOptions } from './commands/report.js'
import { addSnapshot } from './commands/snapshot.js'
import { runStats, type StatsOptions } from './commands/stats.js'
import { runThreads, type ThreadsOptions } from './commands/threads.js'
import { addTrace } from './commands/trace.js'
import { runTrim, type TrimOptions } from './commands/trim.js'
import { runVerify } from './commands/verify.js'
import { runWatch, type WatchOptions, withWatchOptions } from './commands/watch.js'
import { addWhat } from './commands/what.js'
import { runX, type XOptions } from './commands/x.js'
import { type ControlOptions, withControlOptions } from './control-arguments.js'
import { endOnSignals } from './ending.js'
import { EXIT, type ExitCode, explain } from './exit.js'
import { packageVersion } from './package-version.js'
import { withStopOption, withTargetOptions } from './target-arguments.js'
import { say } from './terminal.js'

let exitCode: ExitCode = EXIT.done

// Without a core file's path.
function namesProcess({ pid, gdbRemote }: ReportOptions): boolean {
  return pid !== undefined || gdbRemote !== undefined
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`
}

function program(): Command {
  const end = (code: ExitCode) => {
    exitCode = code
  }
  const root = new Command('arena-inspect')
    .description('Where did the memory go? malloc arenas of a core file or a live process, to the byte.')
    .version(packageVersion())
    .exitOverride()
    .showSuggestionAfterError()
    .enablePositionalOptions()
  withReportOptions(root)
    .argument('[target...]', 'a core file, and its program where that is not at its own path')
    .addHelpText('after', examples('arena-inspect core.6 ./memsqld', 'arena-inspect --pid 6'))
    .action(async (targets: string[], options: ReportOptions) => {
      if (targets.length === 0 && !namesProcess(options) && options.explain === undefined)
        root.help({ error: true })
      exitCode = await runOpen(targets, options)
    })
  withReportOptions(root.command('report'))
    .description('the whole report: verdict, address space, arenas')
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .addHelpText(
      'after',
      examples(
        'arena-inspect report core.6 --format json -o report.json',
        'arena-inspect report --pid 6 --fail-on warning',
      ),
    )
    .action(async (targets: string[], options: ReportOptions) => {
      exitCode = await runReport(targets, options)
    })
  withStopOption(withTargetOptions(root.command('maps')))
    .description('where the address space goes, of a target or of a saved /proc/PID/maps file')
    .argument('[target...]', 'CORE [PROGRAM], MAPS-FILE, or --pid N')
    .addOption(new Option('--by <key>', 'what to add up by').choices([...GROUPINGS]).default('category'))
    .option('--json', 'rows as JSON')
    .addHelpText(
      'after',
      examples('arena-inspect maps --pid 6 --by suffix', 'arena-inspect maps saved-maps.txt'),
    )
    .action(async (targets: string[], options: MapsOptions) => {
      exitCode = await runMaps(targets, options)
    })
  withStopOption(withTargetOptions(root.command('arenas')))
    .description("every malloc arena, in glibc's order")
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .option('--json', 'arenas as JSON')
    .addHelpText('after', examples('arena-inspect arenas core.6', 'arena-inspect arenas --pid 6 --json'))
    .action(async (targets: string[], options: ArenasOptions) => {
      exitCode = await runArenas(targets, options)
    })
  withStopOption(withTargetOptions(root.command('heaps')))
    .description('the heap segments of every arena, and the pieces of the main heap')
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('arena-inspect heaps core.6', 'arena-inspect heaps --pid 6 --json'))
    .action(async (targets: string[], options: HeapsOptions) => {
      exitCode = await runHeaps(targets, options)
    })
  withTargetOptions(root.command('bins'))
    .description(
      "the free lists: fastbins and bins of every arena, followed and checked, and threads' tcaches",
    )
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .option('--arena <n>', 'of one arena only')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples('arena-inspect bins core.6 --arena 3', 'arena-inspect bins --pid 6 --json'),
    )
    .action(async (targets: string[], options: BinsOptions) => {
      exitCode = await runBins(targets, options)
    })
  withTargetOptions(root.command('chunks'))
    .description('every chunk with its size and state, streamed')
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .option('--arena <n>', 'of one arena only')
    .option('--free', 'chunks that malloc can hand out again')
    .option('--used', 'chunks of the program, and those in tcaches')
    .addOption(new Option('--state <state...>', 'only these states').choices([...CHUNK_STATES]))
    .option('--min <size>', 'at least this large')
    .option('--max <size>', 'at most this large')
    .addOption(new Option('--sort <key>', 'in which order').choices(['address', 'size']).default('address'))
    .option('--limit <n>', 'at most so many')
    .addOption(new Option('--format <format>', 'how to write it').choices(['text', 'ndjson']).default('text'))
    .option('--json', 'the same as --format ndjson: one JSON object a line')
    .addHelpText(
      'after',
      examples(
        'arena-inspect chunks core.6 --used --sort size --limit 20',
        'arena-inspect chunks --pid 6 --arena 3 --free --min 1M',
      ),
    )
    .action(async (targets: string[], options: ChunksOptions) => {
      exitCode = await runChunks(targets, options)
    })
  withFindOptions(root.command('find'))
    .addHelpText(
      'after',
      examples(
        'arena-inspect find core.6 "connection reset"',
        'arena-inspect find --pid 6 0x7f8f98000020 --limit 20',
      ),
    )
    .action(async (targets: string[], options: FindOptions) => {
      exitCode = await runFind(targets, options)
    })
  withStopOption(withTargetOptions(root.command('threads')))
    .description('which arena and tcache each thread uses, and what it was doing')
    .argument('[target...]', 'CORE [PROGRAM], or --pid N')
    .option('--frames <n>', 'how many stack frames, where gdb knows them', '3')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('arena-inspect threads core.6', 'arena-inspect threads --pid 6 --json'))
    .action(async (targets: string[], options: ThreadsOptions) => {
      exitCode = await runThreads(targets, options)
    })
  withTargetOptions(root.command('x'))
    .description("memory as gdb's x/NNa prints it, with symbols and chunk marks")
    .argument(
      '<target-and-address...>',
      'CORE [PROGRAM] ADDRESS, or --pid N ADDRESS; 0xHEX, arena:N or a libc variable',
    )
    .option('--count <n>', 'words, or bytes with --as hex', '40')
    .addOption(new Option('--as <unit>', 'what to show').choices(['words', 'hex', 'chunks']).default('words'))
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples(
        'arena-inspect x core.6 0x7f8f98000020 --count 100',
        'arena-inspect x --pid 6 main_arena --as hex --count 256',
      ),
    )
    .action(async (positional: string[], options: XOptions) => {
      exitCode = await runX(positional, options)
    })
  addWhat(root, end)
  addBatch(root, end)
  addWatch(root)
  addTrace(root, end)
  addSnapshot(root, end)
  addDiff(root, end)
  addControlCommands(root)
  addDap(root)
  withReportOptions(root.command('demo'))
    .description('makes the sample incident, takes its core and opens it')
    .option('--arenas <n>', 'threads with an arena each', '64')
    .option('--mib <n>', 'what each allocates before it frees 99 % of it', '20')
    .option('--keep', 'keep the core')
    .addHelpText(
      'after',
      examples('arena-inspect demo', 'arena-inspect demo --arenas 16 --mib 8 --format json'),
    )
    .action(async (options: DemoOptions & ReportOptions) => {
      exitCode = await runDemo(options, (core) => runOpen([core], options))
    })
  addCompletion(root)
  return root
}

function addWatch(root: Command): void {
  withWatchOptions(root.command('watch'))
    .description('sample a live process without stopping it: what moves, what grows, when memory runs out')
    .addHelpText(
      'after',
      examples(
        'arena-inspect watch --pid 6 --every 10s --for 1h -o watch.html',
        'arena-inspect watch --pid 6 --prometheus 9101',
      ),
    )
    .action(async (options: WatchOptions) => {
      exitCode = await runWatch(options)
    })
}

// What runs code inside a live process: each says what, and asks.
function addControlCommands(root: Command): void {
  withControlOptions(root.command('stats'))
    .description("glibc's own malloc_stats and malloc_info of a live process; its stderr is not touched")
    .option('--xml', "malloc_info's XML only")
    .addHelpText(
      'after',
      examples('arena-inspect stats --pid 6', 'arena-inspect stats --pid 6 --yes --xml > malloc-info.xml'),
    )
    .action(async (options: StatsOptions) => {
      exitCode = await runStats(options)
    })
  withControlOptions(root.command('verify'))
    .description("our numbers beside glibc's own of the same moment; exit code 0 only when all are equal")
    .addHelpText(
      'after',
      examples('arena-inspect verify --pid 6', 'arena-inspect verify --pid 6 --yes --json'),
    )
    .action(async (options: ControlOptions) => {
      exitCode = await runVerify(options)
    })
  withControlOptions(root.command('trim'))
    .description('hand free memory back now (malloc_trim): predicted first, measured after')
    .option('--dry-run', 'all but the call')
    .addHelpText(
      'after',
      examples('arena-inspect trim --pid 6 --dry-run', 'arena-inspect trim --pid 6 --yes'),
    )
    .action(async (options: TrimOptions) => {
      exitCode = await runTrim(options)
    })
  withControlOptions(root.command('limit'))
    .description('stop new arenas in a running process, where its glibc still heeds that')
    .requiredOption('--arena-max <n>', 'how many arenas at most, main_arena included')
    .option('--dry-run', 'all but the change')
    .addHelpText(
      'after',
      examples(
        'arena-inspect limit --pid 6 --arena-max 8',
        'arena-inspect limit --pid 6 --arena-max 8 --dry-run',
      ),
    )
    .action(async (options: LimitOptions) => {
      exitCode = await runLimit(options)
    })
}

async function main(): Promise<ExitCode> {
  try {
    await program().parseAsync()
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    if (process.argv.includes('--debug')) console.error(error)
    const known = explain(error)
    if (known) {
      say(known.line)
      return known.code
    }
    say(
      `a defect of arena-inspect: ${error instanceof Error ? error.message : String(error)}; run again with --debug and report it`,
    )
    return EXIT.failed
  }
}

endOnSignals()
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCode)
  throw error
})
// Not by a top-level await, which the single executable cannot have; what never settles is no success.
process.exitCode = EXIT.failed
void main().then((code) => {
  process.exitCode = code
})
