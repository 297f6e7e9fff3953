// `arena-inspect report`: the whole report, as text, JSON, Markdown or HTML.
import { type Command, Option } from 'commander'
import type { Session } from '../../session/session.js'
import { renderJson } from '../../views/json/render-json.js'
import { renderMarkdown } from '../../views/text/render-markdown.js'
import { renderText } from '../../views/text/render-text.js'
import type { ExitCode } from '../exit.js'
import { exitCodeOf, output, sayWhatIsMissing } from '../finish.js'
import { reportHtml } from '../report-html.js'
import { judgementOf, type RuleOptions, withRuleOptions } from '../rule-arguments.js'
import {
  chooseWithProgram,
  openSaved,
  type TargetOptions,
  withStopOption,
  withTargetOptions,
} from '../target-arguments.js'
import { colorWanted } from '../terminal.js'
import { runExplain } from './explain.js'

const REPORT_FORMATS = ['text', 'json', 'markdown', 'html'] as const

export interface ReportOptions extends TargetOptions, RuleOptions {
  readonly format: (typeof REPORT_FORMATS)[number]
  readonly json?: boolean
  readonly output?: string
  /** A rule's name. */
  readonly explain?: string
}

/** Options of the report, which the bare command has too. */
export function withReportOptions(command: Command): Command {
  return withRuleOptions(withStopOption(withTargetOptions(command)))
    .addOption(
      new Option('--format <format>', 'how to write it').choices([...REPORT_FORMATS]).default('text'),
    )
    .option('--json', 'the same as --format json')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .option('--explain <rule>', 'what a finding rests on and what to read further; needs no target')
}

/** Reads the target and writes the report. */
export async function runReport(targets: readonly string[], options: ReportOptions): Promise<ExitCode> {
  const { failOn, rules } = judgementOf(options)
  if (options.explain !== undefined) return runExplain(options.explain, options.output, rules)
  const session = await openSaved(chooseWithProgram(targets, options), { ...options, rules })
  try {
    const { report } = session
    output(written(session, options), options.output)
    sayWhatIsMissing(report)
    return exitCodeOf(report, failOn, options.strict === true)
  } finally {
    await session.close()
  }
}

/** The report in its format; `output`: for a file, not for a terminal. */
export function written(
  session: Session,
  { json, format, output: file, color }: Pick<ReportOptions, 'json' | 'format' | 'output' | 'color'>,
): string {
  const { report } = session
  if (json === true || format === 'json') return renderJson(report)
  if (format === 'markdown') return renderMarkdown(report)
  if (format === 'html') return reportHtml(session)
  return renderText(report, { color: file === undefined && colorWanted(color) })
}
