// The bare command: the TUI on a terminal, the text report otherwise.
import { EXIT, type ExitCode } from '../exit.js'
import { exitCodeOf } from '../finish.js'
import { chooseWithProgram, open } from '../target-arguments.js'
import { colorWanted } from '../terminal.js'
import { type ReportOptions, runReport } from './report.js'

export async function runOpen(targets: readonly string[], options: ReportOptions): Promise<ExitCode> {
  const plain = options.json === true || options.format === 'json' || options.output !== undefined
  if (plain || !process.stdout.isTTY || !process.stdin.isTTY) return runReport(targets, options)
  const choice = chooseWithProgram(targets, options)
  // Ink costs 300 ms to load: only here.
  const { runTui } = await import('../../views/tui/run-tui.js')
  const opening = open(choice, options, true)
  try {
    const ended = await runTui(opening, {
      stdin: process.stdin,
      stdout: process.stdout,
      color: colorWanted(options.color),
    })
    if (ended === 'SIGINT') return EXIT.SIGINT
    if (ended === 'SIGTERM') return EXIT.SIGTERM
    return exitCodeOf((await opening).report, options.failOn ?? null, options.strict === true)
  } finally {
    await opening.then(
      (session) => session.close(),
      () => {},
    )
  }
}
