// What the commands that run code inside a live process have in common: options, the question, the visit.
import { createInterface } from 'node:readline/promises'
import { type Command, Option } from 'commander'
import { Refusal } from '../control/refusal.js'
import { type ControlledTarget, precheck, type VisitDone, type VisitOptions } from '../control/visit.js'
import { countOf } from '../format/sizes.js'
import { NO_GLIBC } from '../session/measure.js'
import type { TargetSession } from '../session/open-session.js'
import { wholeNumber } from './byte-count.js'
import { unhurried } from './ending.js'
import { CommandError, UsageError } from './exit.js'
import { chooseTarget, open } from './target-arguments.js'
import { say } from './terminal.js'

export interface ControlOptions {
  readonly pid: string
  readonly yes?: boolean
  readonly force?: boolean
  readonly wait: string
  readonly json?: boolean
  readonly gdb: string
  readonly color: boolean
  readonly debug?: boolean
}

/** Adds the options of every command that calls into a process. */
export function withControlOptions(command: Command): Command {
  return command
    .addOption(new Option('--gdb-remote <host:port>').hideHelp().argParser(refuseRemote))
    .requiredOption('--pid <n>', 'the live process; it stands still for some hundredths of a second')
    .option('-y, --yes', 'do not ask before anything is run inside the process')
    .option('--force', 'also when the process has a seccomp filter of its own')
    .option('--wait <seconds>', "how long to wait for a moment in which no arena's lock is held", '10')
    .option('--json', 'as JSON')
    .option('--gdb <path>', 'the gdb to run', 'gdb')
    .option('--no-color', 'no colour (also: NO_COLOR)')
    .option('--debug', "show what the script says, gdb's transcript and stack traces on stderr")
}

function refuseRemote(): never {
  throw new UsageError(
    "nothing is run inside a process through --gdb-remote: its threads' locks and files are only seen on its own machine",
    'run this command there, with --pid N',
  )
}

/** An opened process and how to call into it. */
export interface Controlled extends ControlledTarget {
  readonly session: TargetSession
  /** Runs a visit: signals end it well, and a held lock is told once. */
  readonly visiting: <T>(work: (options: VisitOptions) => Promise<T>) => Promise<T>
}

/** Opens the process, refuses what can be refused before any stop, and runs `work`. Throws CommandError, UsageError. */
export async function withControl<T>(
  options: ControlOptions,
  work: (controlled: Controlled) => Promise<T>,
): Promise<T> {
  const { choice } = chooseTarget([], options)
  const session = await open(choice, options)
  try {
    const { malloc } = session.measurement
    if (!malloc) throw new CommandError(NO_GLIBC, 'arena-inspect maps shows where the memory is')
    const controlled = { target: session.target, malloc }
    await precheck(controlled, options.force === true)
    return await work({ ...controlled, session, visiting: (visit) => visiting(options, visit) })
  } catch (error) {
    if (error instanceof Refusal) throw new CommandError(error.message, error.hint)
    throw error
  } finally {
    await session.close()
  }
}

function visiting<T>(options: ControlOptions, work: (options: VisitOptions) => Promise<T>): Promise<T> {
  let told = false
  const retrySeconds = wholeNumber(options.wait, '--wait')
  return unhurried((signal) =>
    work({
      signal,
      force: options.force === true,
      retrySeconds,
      gdb: {
        gdbPath: options.gdb,
        ...(options.debug
          ? {
              transcript: (direction: string, line: string) =>
                say(direction === 'from-script' ? `script: ${line}` : `gdb ${direction} ${line}`),
            }
          : {}),
      },
      onEvent: (event) => {
        if (event.event !== 'retry' || told) return
        told = true
        say(`${event.why}; trying again`)
      },
    }),
  )
}

/** Says what will be run and asks; returns when the answer is yes. Throws UsageError where nobody can be asked. */
export async function agree(what: string, options: ControlOptions): Promise<void> {
  if (options.yes) return
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`this would ${what}, and there is no terminal to ask on`, 'agree with --yes')
  }
  const questions = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await questions.question(`This will ${what}. Go on? [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('nothing was run', 'agree with y, or --yes')
  } finally {
    questions.close()
  }
}

/** How the visit went, in a line for people. */
export function visitLine({ stoppedMs, callMs, calls, thread, tries, way, wayReason }: VisitDone): string {
  const again = tries > 1 ? `, ${tries} tries` : ''
  const called =
    calls > 0 ? `, ${callMs.toFixed(1)} ms of them inside ${countOf(calls, 'call')} on thread ${thread}` : ''
  const by = way === 'gdb' ? `; gdb made the calls: ${wayReason}` : ''
  return `the process stood still for ${stoppedMs.toFixed(0)} ms${called}${again}${by}`
}

/** The same for scripts. */
export function visitJson({ stoppedMs, callMs, calls, thread, tries, way, wayReason }: VisitDone) {
  return { stoppedMs, callMs, calls, thread, tries, way, wayReason }
}
