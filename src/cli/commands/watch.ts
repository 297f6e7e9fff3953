// `arena-inspect watch`: samples of a live process, what moves, findings over time; as text, NDJSON, HTML and metrics.
import { accessSync, constants } from 'node:fs'
import { dirname, extname } from 'node:path'
import type { Command } from 'commander'
import type { Finding } from '../../findings/finding.js'
import { reaches } from '../../findings/rules.js'
import { durationText } from '../../format/durations.js'
import type { Measured } from '../../report/build-report.js'
import type { TargetSession } from '../../session/open-session.js'
import { watchPage } from '../../views/html/watch-page.js'
import { watchSummaryJson } from '../../views/json/watch-json.js'
import { watchHeadline } from '../../views/text/watch-text.js'
import { History } from '../../watch/history.js'
import type { WatchMetrics } from '../../watch/metrics.js'
import type { MetricsServer } from '../../watch/metrics-server.js'
import { Sampler, type Taken } from '../../watch/sampler.js'
import {
  type Counts,
  findingsNow,
  summaryOf,
  type WatchSummary,
  type WatchTarget,
} from '../../watch/summary.js'
import { REAL_CLOCK, type WatchEnd, watch } from '../../watch/watch.js'
import { browserScript } from '../browser-script.js'
import { wholeNumber } from '../byte-count.js'
import { durationMs } from '../duration.js'
import { finishing } from '../ending.js'
import { CommandError, EXIT, type ExitCode, UsageError } from '../exit.js'
import { output } from '../finish.js'
import { judgementOf, type RuleOptions, withRuleOptions } from '../rule-arguments.js'
import { chooseTarget, open, type TargetOptions, withTargetOptions } from '../target-arguments.js'
import { colorWanted, say } from '../terminal.js'
import { type Display, JSON_DISPLAY, PLAIN_DISPLAY, TerminalDisplay } from '../watch-display.js'

export interface WatchOptions extends TargetOptions, RuleOptions {
  readonly pid: string
  readonly every: string
  readonly for?: string
  readonly count?: string
  readonly json?: boolean
  readonly output?: string
  readonly prometheus?: string
}

/** Shorter pauses measure the tool rather than the target. */
const LEAST_EVERY_MS = 50
const LOOPBACK = '127.0.0.1'

/** Adds the options of `watch`. */
export function withWatchOptions(command: Command): Command {
  return withRuleOptions(withTargetOptions(command))
    .option('--every <time>', 'how often: 200ms, 10s, 5m', '10s')
    .option('--for <time>', 'how long: 1h, 2d; until the process ends when not given')
    .option('--count <n>', 'how many samples')
    .option('--json', 'a JSON object a line: each sample, then the summary')
    .option('-o, --output <file>', 'write the history at the end: FILE.html with charts, or FILE.json')
    .option('--prometheus <port>', 'serve metrics on [HOST:]PORT, on the loopback interface without HOST')
}

/** Runs until the target ends, the time or the count is over, or a signal comes; prints a summary in every case. */
export async function runWatch(options: WatchOptions): Promise<ExitCode> {
  const { choice } = chooseTarget([], options)
  if (choice.kind !== 'live') throw new UsageError('watch takes a live process', 'name one with --pid N')
  const timing = timingOf(options)
  const format = formatOf(options.output)
  const address = options.prometheus === undefined ? null : listenAddress(options.prometheus)
  const { failOn, rules } = judgementOf(options)
  const session = await open(choice, { ...options, rules })
  try {
    const run = new WatchRun(session, choice.pid, options, timing.everyMs)
    if (address) await run.serve(address.host, address.port)
    const summary = await finishing(async (signal) => {
      const seen = await run.watch(timing, signal)
      if (format !== null) writeSummary(seen, options.output!, format)
      return seen
    })
    if (failOn && summary.findings.some(({ severity }) => reaches(severity, failOn))) return EXIT.finding
    return options.strict && !isWhole(summary) ? EXIT.partial : EXIT.done
  } finally {
    await session.close()
  }
}

// Every sample was taken, and the last one knows what malloc holds.
function isWhole({ failures, last }: WatchSummary): boolean {
  return failures === 0 && last !== null && last.arenas !== null && last.inUseBytes !== null
}

interface Timing {
  readonly everyMs: number
  readonly forMs: number | null
  readonly count: number | null
}

function timingOf({ every, for: time, count }: WatchOptions): Timing {
  const everyMs = durationMs(every, '--every')
  if (everyMs < LEAST_EVERY_MS) {
    throw new UsageError(`--every takes ${LEAST_EVERY_MS}ms or more, not ${every}`, 'e.g. --every 200ms')
  }
  const samples = count === undefined ? null : wholeNumber(count, '--count')
  if (samples === 0) throw new UsageError('--count takes 1 or more, not 0', 'see --help')
  return { everyMs, forMs: time === undefined ? null : durationMs(time, '--for'), count: samples }
}

type FileFormat = 'html' | 'json'

// Found out before hours of watching, not after.
function formatOf(file: string | undefined): FileFormat | null {
  if (file === undefined) return null
  const extension = extname(file).toLowerCase()
  if (extension !== '.html' && extension !== '.json') {
    throw new UsageError(`-o takes a file that ends in .html or .json, not ${file}`, 'e.g. -o watch.html')
  }
  try {
    accessSync(dirname(file), constants.W_OK)
  } catch {
    throw new CommandError(`cannot write to ${dirname(file)}`, 'choose another file with -o')
  }
  return extension === '.html' ? 'html' : 'json'
}

function writeSummary(summary: WatchSummary, file: string, format: FileFormat): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const script = () => browserScript('watch-chart')
  output(format === 'html' ? watchPage(summary, { script: script(), zone }) : watchSummaryJson(summary), file)
  say(`${file} has the history`)
}

/** `9101`, `127.0.0.1:9101`, `[::]:9101`. Throws UsageError. */
function listenAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]:|([^:]+):)?(\d{1,5})$/.exec(text)
  const port = match ? Number(match[3]) : Number.NaN
  if (!match || port > 65_535) {
    throw new UsageError(
      `--prometheus takes [HOST:]PORT, not ${JSON.stringify(text)}`,
      'e.g. --prometheus 9101',
    )
  }
  return { host: match[1] ?? match[2] ?? LOOPBACK, port }
}

/** One run: its history, what it shows, what it serves. */
class WatchRun {
  readonly #history = new History()
  readonly #display: Display
  readonly #target: WatchTarget
  readonly #sampler: Sampler
  #facts: Measured | null = null
  #counts: Counts
  #metrics: WatchMetrics | null = null
  #server: MetricsServer | null = null
  #told = new Set<string>()

  constructor(
    session: TargetSession,
    pid: number,
    readonly options: WatchOptions,
    everyMs: number,
  ) {
    const { target } = session.report
    this.#target = {
      pid,
      label: target.label,
      executable: target.executable,
      glibcVersion: target.glibc?.version ?? null,
    }
    this.#sampler = new Sampler(session, pid)
    this.#counts = { everyMs, stretchedToMs: null, failures: 0, longestSampleMs: 0 }
    this.#display = displayOf(options)
  }

  /** Serves metrics from now on; throws CommandError where it cannot. */
  async serve(host: string, port: number): Promise<void> {
    const [{ WatchMetrics }, { serveMetrics }] = await Promise.all([
      import('../../watch/metrics.js'),
      import('../../watch/metrics-server.js'),
    ])
    this.#metrics = new WatchMetrics(this.#target)
    try {
      this.#server = await serveMetrics(host, port, this.#metrics)
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error
      const why = error.code === 'EADDRINUSE' ? 'something else listens there' : String(error.code)
      throw new CommandError(
        `cannot serve metrics on ${host}:${port}: ${why}`,
        'choose another port with --prometheus',
      )
    }
    say(`metrics are on ${this.#server.url}`)
  }

  /** To the end; shows the summary. */
  async watch(timing: Timing, signal: AbortSignal): Promise<WatchSummary> {
    const { label, executable } = this.#target
    if (!this.options.json) {
      process.stdout.write(`${watchHeadline(label, executable, timing.everyMs, Date.now())}\n`)
    }
    try {
      const end = await watch(this.#sampler, {
        ...timing,
        signal,
        clock: REAL_CLOCK,
        onSample: (taken) => this.#onSample(taken),
        onStretch: (everyMs, tookMs) => this.#onStretch(everyMs, tookMs),
        onFailure: (error) => {
          this.#counts = { ...this.#counts, failures: this.#counts.failures + 1 }
          this.#metrics?.fail()
          this.#say(`a sample failed: ${error.message}`)
        },
      })
      return this.#finish(end)
    } finally {
      await this.#server?.close()
    }
  }

  #onSample({ sample, facts }: Taken): void {
    const history = this.#history
    history.add(sample)
    this.#facts = facts
    const longestSampleMs = Math.max(this.#counts.longestSampleMs, sample.tookMs)
    this.#counts = { ...this.#counts, longestSampleMs }
    const findings = findingsNow(history, facts)
    this.#metrics?.set(sample, findings)
    this.#display.show({
      points: history.points,
      first: history.first!,
      previous: history.previous,
      last: sample,
      findings,
    })
    this.#tell(findings)
  }

  // A block in place shows them all the time; lines and JSON have no place for them until the end.
  #tell(findings: readonly Finding[]): void {
    if (this.#display instanceof TerminalDisplay) return
    for (const { rule, severity, title } of findings) {
      const key = `${rule} ${severity}`
      if (!this.#told.has(key)) say(`${severity}: ${title}`)
      this.#told.add(key)
    }
  }

  #onStretch(everyMs: number, tookMs: number): void {
    this.#counts = { ...this.#counts, stretchedToMs: everyMs }
    const asked = durationText(this.#counts.everyMs)
    this.#say(
      `a sample took ${durationText(tookMs)}: there will be one every ${durationText(everyMs)} instead of every ${asked}`,
    )
  }

  #say(text: string): void {
    if (this.#display instanceof TerminalDisplay) this.#display.clear()
    say(text)
  }

  #finish(end: WatchEnd): WatchSummary {
    const summary = summaryOf(this.#target, this.#history, this.#facts, this.#counts, end)
    this.#display.end(summary)
    return summary
  }
}

function displayOf(options: WatchOptions): Display {
  if (options.json) return JSON_DISPLAY
  return process.stdout.isTTY ? new TerminalDisplay(colorWanted(options.color)) : PLAIN_DISPLAY
}
