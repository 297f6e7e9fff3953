// `arena-inspect batch`: many cores, a line of NDJSON and a report each; one bad core never stops the rest.
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { reaches } from '../../findings/rules.js'
import { durationText } from '../../format/durations.js'
import { batchInputs, claimsToBeCore } from '../batch/inputs.js'
import { fileFacts, Journal } from '../batch/journal.js'
import { Worker } from '../batch/pool.js'
import { BATCH_SCHEMA, type BatchAnswer, type BatchRow } from '../batch/row.js'
import { BATCH_FORMATS, type BatchFormat, runWorker } from '../batch/worker.js'
import { wholeNumber } from '../byte-count.js'
import { durationMs } from '../duration.js'
import { finishing } from '../ending.js'
import { EXIT, type ExitCode, UsageError } from '../exit.js'
import { packageVersion } from '../package-version.js'
import { type Judgement, judgementOf, type RuleOptions, withRuleOptions } from '../rule-arguments.js'
import type { TargetOptions } from '../target-arguments.js'
import { Progress, say } from '../terminal.js'

export interface BatchOptions extends TargetOptions, RuleOptions {
  readonly jobs?: string
  readonly output?: string
  readonly format: readonly BatchFormat[]
  readonly timeout: string
  readonly retryFailed?: boolean
}

/** Where stderr is no terminal, a line so often. */
const TOLD_EVERY_MS = 10_000

export function addBatch(root: Command, end: (code: ExitCode) => void): void {
  withRuleOptions(root.command('batch'))
    .description('many cores: a line of NDJSON and a report each; goes on where it was ended')
    .argument('<dir-or-list>', 'a folder, a file with a path a line, or - for such lines on stdin')
    .option('--jobs <n>', 'how many at once; as many as there are CPUs when not given')
    .option('-o, --output <dir>', 'where reports and batch.ndjson go; without it nothing is kept')
    .addOption(
      new Option(
        '--format <formats>',
        `of the reports: ${BATCH_FORMATS.join(', ')}, with commas between them`,
      )
        .argParser(formatsOf)
        .default(['json'], 'json'),
    )
    .option('--timeout <time>', 'for one core: 90s, 30m', '30m')
    .option('--retry-failed', 'try those again that failed in an earlier run')
    .option('--sysroot <folder>', "where the targets' files are, when not at their own paths")
    .option('--gdb <path>', 'the gdb to run', 'gdb')
    .option('--no-gdb', 'do without gdb: no symbols, the layout is found in memory')
    .option('--strict', 'exit with 4 also when a report is partial')
    .option('--no-color', 'no colour (also: NO_COLOR)')
    .option('--debug', 'show stack traces on stderr')
    .addHelpText(
      'after',
      '\nExamples:\n  arena-inspect batch /var/crash -o reports --jobs 4\n' +
        "  find /cores -name 'core.*' -mtime -1 | arena-inspect batch - -o reports --fail-on critical\n",
    )
    .action(async (where: string, options: BatchOptions) => end(await runBatch(where, options)))
  root
    .command('batch-worker', { hidden: true })
    .description('a worker process of batch')
    .action(() => runWorker())
}

function formatsOf(text: string): readonly BatchFormat[] {
  return text.split(',').map((name) => {
    const format = BATCH_FORMATS.find((one) => one === name.trim())
    if (format) return format
    throw new UsageError(`--format knows no ${JSON.stringify(name)}`, `it takes ${BATCH_FORMATS.join(', ')}`)
  })
}

export async function runBatch(where: string, options: BatchOptions): Promise<ExitCode> {
  const jobs = options.jobs === undefined ? availableParallelism() : wholeNumber(options.jobs, '--jobs')
  if (jobs < 1) throw new UsageError('--jobs takes 1 or more, not 0', 'see --help')
  const timeoutMs = durationMs(options.timeout, '--timeout')
  const judged = judgementOf(options)
  const folder = options.output === undefined ? null : resolve(options.output)
  const inputs = batchInputs(where, folder)
  const journal = folder === null ? null : Journal.open(folder)
  try {
    const batch = new Batch(options, judged, journal, { timeoutMs, isFolder: inputs.isFolder })
    return await finishing((signal) => batch.run(inputs.paths, jobs, signal))
  } finally {
    journal?.close()
  }
}

class Batch {
  readonly #version = packageVersion()
  readonly #formats: readonly BatchFormat[]
  readonly #rules: BatchRow['rules']
  readonly #counts = { ok: 0, partial: 0, failed: 0, skipped: 0, found: 0 }

  constructor(
    readonly options: BatchOptions,
    readonly judged: Judgement,
    readonly journal: Journal | null,
    readonly how: { readonly timeoutMs: number; readonly isFolder: boolean },
  ) {
    this.#formats = journal ? options.format : []
    this.#rules = judged.rules ?? null
  }

  async run(paths: readonly string[], jobs: number, signal: AbortSignal): Promise<ExitCode> {
    const began = performance.now()
    const finished = this.#finished()
    const left = paths.filter((path) => !finished.has(path))
    const earlier = paths.length - left.length
    if (earlier > 0) say(`${earlier} of ${paths.length} were finished by an earlier run`)
    for (const path of paths) if (finished.has(path)) await this.#tell(finished.get(path)!)
    const workers = Array.from({ length: Math.min(jobs, left.length) }, () => new Worker())
    const end = () => {
      for (const worker of workers) worker.end()
    }
    signal.addEventListener('abort', end)
    const progress = this.#progress(left.length)
    const queue = left.values()
    await Promise.all(
      workers.map(async (worker) => {
        for (const path of queue) {
          if (signal.aborted) return
          const row = await this.#work(worker, path)
          // What a signal ended is not finished.
          if (signal.aborted) return
          this.journal?.add(row)
          await this.#tell(row)
          await progress.step()
        }
      }),
    )
    progress.stop()
    end()
    const { ok, failed, skipped } = this.#counts
    if (!signal.aborted)
      say(
        `${ok} reports, ${failed} failed, ${skipped} skipped, in ${durationText(performance.now() - began)}`,
      )
    return this.#code()
  }

  #finished(): ReadonlyMap<string, BatchRow> {
    const retryFailed = this.options.retryFailed === true
    const key = { version: this.#version, rules: this.#rules, formats: this.#formats, retryFailed }
    return this.journal?.finished(key) ?? new Map()
  }

  async #work(worker: Worker, path: string): Promise<BatchRow> {
    const { gdb, sysroot, color, debug } = this.options
    const options: TargetOptions = {
      gdb,
      color,
      rules: this.judged.rules,
      ...(sysroot === undefined ? {} : { sysroot }),
      ...(debug === undefined ? {} : { debug }),
    }
    const folder = this.journal?.folder ?? null
    const at = new Date().toISOString()
    const began = performance.now()
    const facts = fileFacts(path)
    const answer = await worker.run({ path, options, formats: this.#formats, folder }, this.how.timeoutMs)
    return {
      schema: BATCH_SCHEMA,
      path,
      ...answer,
      status: this.#statusOf(path, answer),
      ...facts,
      at,
      elapsedMs: Math.round(performance.now() - began),
      version: this.#version,
      rules: this.#rules,
    }
  }

  #statusOf(path: string, { status }: BatchAnswer): BatchRow['status'] {
    return status === 'failed' && this.how.isFolder && !claimsToBeCore(path) ? 'skipped' : status
  }

  // A reader that is slow holds the batch back.
  async #tell(row: BatchRow): Promise<void> {
    this.#counts[row.status]++
    if (row.complete === false) this.#counts.partial++
    const { failOn } = this.judged
    if (failOn && row.severity && reaches(row.severity, failOn)) this.#counts.found++
    if (row.error) say(`${row.status}: ${row.error.message}; ${row.error.hint}`)
    if (!process.stdout.write(`${JSON.stringify(row)}\n`)) await once(process.stdout, 'drain')
  }

  #progress(total: number) {
    const shown = new Progress('cores')
    let done = 0
    let toldAt = performance.now()
    return {
      step: async () => {
        await shown.update(++done, total)
        if (process.stderr.isTTY || performance.now() - toldAt < TOLD_EVERY_MS) return
        toldAt = performance.now()
        say(`${done} of ${total} done, ${this.#counts.failed} failed`)
      },
      stop: () => shown.stop(),
    }
  }

  #code(): ExitCode {
    const { ok, partial, failed, found } = this.#counts
    if (found > 0) return EXIT.finding
    if (failed > 0) return ok === 0 ? EXIT.failed : EXIT.partial
    return this.options.strict && partial > 0 ? EXIT.partial : EXIT.done
  }
}
