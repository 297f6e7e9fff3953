// `arena-inspect diff`: what grew between two cores, processes, snapshots or saved reports.
import { type Command, Option } from 'commander'
import { compare } from '../../diff/compare.js'
import { type Condition, judge, parseCondition } from '../../diff/conditions.js'
import type { Diff } from '../../diff/diff.js'
import { type DiffSort, SORTS, signedBytes, signedPercent } from '../../diff/diff-tables.js'
import { METRIC_NAMES, METRICS } from '../../diff/metrics.js'
import type { Report } from '../../report/report.js'
import { diffPage } from '../../views/html/diff-page.js'
import { renderDiffJson } from '../../views/json/diff-json.js'
import { renderDiffMarkdown } from '../../views/text/diff-markdown.js'
import { renderDiffText } from '../../views/text/diff-text.js'
import { byteCount, wholeNumber } from '../byte-count.js'
import { EXIT, type ExitCode, UsageError } from '../exit.js'
import { output } from '../finish.js'
import { chooseTarget, openSaved, type TargetOptions } from '../target-arguments.js'
import { colorWanted, say } from '../terminal.js'

export interface DiffOptions extends Omit<TargetOptions, 'gdbRemote' | 'stop'> {
  readonly format: 'text' | 'json' | 'markdown' | 'html'
  readonly json?: boolean
  readonly output?: string
  readonly failOn: readonly string[]
  readonly sort: DiffSort
  readonly limit?: string
}

const ROWS = { text: 10, markdown: 10, html: 1000 }

const MORE = `
A and B are each a core file, a snapshot, a saved report, pid:N (a live process) or gdb:HOST:PORT (one behind gdbserver).
--fail-on METRIC>N% or METRIC>SIZE: exit code 3 when METRIC grew by more than that, 4 when it is unknown. METRIC is one of:
${METRIC_NAMES.map((name) => `  ${name.padEnd(12)} ${METRICS[name].title}${METRICS[name].unit === 'count' ? ' (a count)' : ''}`).join('\n')}

Examples:
  arena-inspect diff monday.arenas.gz friday.arenas.gz
  arena-inspect diff before.arenas.gz pid:6 --fail-on 'in-use>10%' --fail-on 'arenas>8'
  arena-inspect diff core.1 core.2 --format html -o grew.html
`

export function addDiff(root: Command, onEnd: (code: ExitCode) => void): void {
  root
    .command('diff')
    .description('what grew between two cores, processes, snapshots or saved reports')
    .argument('<A>', 'what was first')
    .argument('[B]', 'what came later')
    .option('--pid <n>', 'a live process as B; the same as pid:N')
    .addOption(
      new Option('--format <format>', 'how to write it')
        .choices(['text', 'json', 'markdown', 'html'])
        .default('text'),
    )
    .option('--json', 'the same as --format json')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .option('--fail-on <condition>', 'exit with 3 when a figure grew by more; repeatable', collect, [])
    .addOption(new Option('--sort <key>', 'order of the rows').choices([...SORTS]).default('growth'))
    .option('--limit <n>', 'rows of a table (default: 10, in HTML 1000; JSON has all)')
    .option('--sysroot <folder>', "where the targets' files are, when not at their own paths")
    .option('--gdb <path>', 'the gdb to run', 'gdb')
    .option('--no-gdb', 'do without gdb: no symbols, the layout is found in memory')
    .option('--strict', 'exit with 4 when either side is partial')
    .option('--no-color', 'no colour (also: NO_COLOR)')
    .option('--debug', "show gdb's transcript and stack traces on stderr")
    .addHelpText('after', MORE)
    .action(async (a: string, b: string | undefined, options: DiffOptions) =>
      onEnd(await runDiff(a, b, options)),
    )
}

export async function runDiff(a: string, b: string | undefined, options: DiffOptions): Promise<ExitCode> {
  const conditions = options.failOn.map(conditionOf)
  const limit = options.limit === undefined ? null : wholeNumber(options.limit, '--limit')
  const { pid, ...rest } = options
  if ((b === undefined) === (pid === undefined))
    throw new UsageError('name two sides', 'e.g. arena-inspect diff before.arenas.gz pid:6')
  const before = await reportOf(a, rest)
  const after = await reportOf(b ?? `pid:${pid}`, rest)
  const diff = compare(before, after)
  output(written(diff, options, limit), options.output)
  for (const problem of diff.problems) say(`note: ${problem}`)
  return exitCodeOf(diff, conditions, options.strict === true)
}

// One at a time: a session of a large core holds memory.
async function reportOf(side: string, options: Omit<DiffOptions, 'pid'>): Promise<Report> {
  const [, pid] = /^pid:(.*)$/.exec(side) ?? []
  const [, gdbRemote] = /^gdb:(.*)$/.exec(side) ?? []
  const named = {
    ...options,
    ...(pid === undefined ? {} : { pid }),
    ...(gdbRemote === undefined ? {} : { gdbRemote }),
  }
  const { choice } = chooseTarget([side], named)
  const session = await openSaved(choice, named)
  try {
    return session.report
  } finally {
    await session.close()
  }
}

function written(diff: Diff, options: DiffOptions, limit: number | null): string {
  const format = options.json ? 'json' : options.format
  if (format === 'json') return renderDiffJson(diff)
  const table = { sort: options.sort, limit: limit ?? ROWS[format] }
  if (format === 'markdown') return renderDiffMarkdown(diff, table)
  if (format === 'html') return diffPage(diff, table)
  return renderDiffText(diff, { ...table, color: options.output === undefined && colorWanted(options.color) })
}

function conditionOf(text: string): Condition {
  const condition = parseCondition(text, (size) => byteCountOrNull(size))
  if (condition) return condition
  throw new UsageError(
    `--fail-on takes METRIC>N% or METRIC>SIZE, not ${JSON.stringify(text)}`,
    `e.g. 'in-use>10%', 'system>64M', 'arenas>2'; metrics: ${METRIC_NAMES.join(', ')}`,
  )
}

function byteCountOrNull(size: string): number | null {
  try {
    return byteCount(size, '--fail-on')
  } catch (error) {
    if (error instanceof UsageError) return null
    throw error
  }
}

function exitCodeOf(diff: Diff, conditions: readonly Condition[], strict: boolean): ExitCode {
  const verdicts = conditions.map((condition) => judge(diff, condition))
  for (const { condition, figure, holds } of verdicts) {
    if (holds === 'unknown') say(`${condition.text} cannot be told: ${figure.metric} is unknown in A or in B`)
    else if (holds) {
      const grew = figure.unit === 'bytes' ? signedBytes(figure.grew) : `+${figure.grew}`
      const percent = figure.grewPercent === null ? '' : ` (${signedPercent(figure.grewPercent)})`
      say(`${condition.text}: ${figure.metric} grew by ${grew}${percent}`)
    }
  }
  if (verdicts.some(({ holds }) => holds === true)) return EXIT.finding
  const isPartial = verdicts.some(({ holds }) => holds === 'unknown') || (strict && !diff.complete)
  return isPartial ? EXIT.partial : EXIT.done
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value]
}
