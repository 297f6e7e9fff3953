// The bare command: the TUI on a terminal, the text report otherwise.
import type { Severity } from '../../findings/finding.js'
import type { InspectedSession } from '../../session/inspected-session.js'
import { CommandError, EXIT, type ExitCode } from '../exit.js'
import { exitCodeOf } from '../finish.js'
import { judgementOf } from '../rule-arguments.js'
import { chooseWithProgram, glimpse, openSaved } from '../target-arguments.js'
import { asciiWanted, colorWanted } from '../terminal.js'
import { tuiServices } from '../tui-services.js'
import { type ReportOptions, runReport } from './report.js'

export async function runOpen(targets: readonly string[], options: ReportOptions): Promise<ExitCode> {
  const plain =
    options.json === true ||
    options.format !== 'text' ||
    options.output !== undefined ||
    options.explain !== undefined
  if (plain || !process.stdout.isTTY || !process.stdin.isTTY) return runReport(targets, options)
  const choice = chooseWithProgram(targets, options)
  const { failOn, rules } = judgementOf(options)
  // Ink costs 300 ms to load: only here.
  const { runTui } = await import('../../views/tui/run-tui.js')
  let opening: Promise<InspectedSession> | null = null
  let session: InspectedSession | null = null
  try {
    const ended = await runTui(
      ({ signal, progress, early }) => {
        opening = openSaved(
          choice,
          { ...options, rules },
          {
            early,
            progress: async (done, known, held) => {
              if (signal.aborted) throw new CommandError('left before the target was read', 'open it again')
              progress({
                text: `reading arenas ${done}/${known}`,
                fraction: done / known,
                rows: () => glimpse(held, held.length).split('\n'),
              })
              await new Promise((resolve) => setImmediate(resolve))
            },
          },
        )
        opening.then(
          (opened) => {
            session = opened
          },
          () => undefined,
        )
        return opening
      },
      {
        stdin: process.stdin,
        stdout: process.stdout,
        color: colorWanted(options.color),
        ascii: asciiWanted(process.env),
        services: tuiServices(() => session, options.gdb === false ? 'gdb' : options.gdb),
      },
    )
    return ended === 'quit' ? await codeOf(opening, failOn, options.strict === true) : EXIT[ended]
  } finally {
    await sessionOf(opening).then((session) => session?.close())
  }
}

async function codeOf(
  opening: Promise<InspectedSession> | null,
  failOn: Severity | null,
  strict: boolean,
): Promise<ExitCode> {
  const session = await sessionOf(opening)
  return session ? exitCodeOf(session.report, failOn, strict) : EXIT.done
}

// Null when there is no session (any more): the user left first, or opening failed and was told already.
function sessionOf(opening: Promise<InspectedSession> | null): Promise<InspectedSession | null> {
  return opening === null ? Promise.resolve(null) : opening.catch(() => null)
}
