// TARGET on the command line: a core file with its program, or --pid; and the options that all reading commands share.
import type { Command } from 'commander'
import type { RuleSettings } from '../findings/thresholds.js'
import type { ArenaGlimpse, HeapProgress } from '../malloc/read-heap-model.js'
import { hex } from '../memory/address.js'
import type { InspectedSession } from '../session/inspected-session.js'
import { openSession, type SessionOptions, type TargetSession } from '../session/open-session.js'
import { openAny } from '../snapshot/open-any.js'
import { parseEndpoint } from '../target/gdb/remote/endpoint.js'
import type { TargetChoice } from '../target/open.js'
import { TargetError } from '../target/target.js'
import { glimpseTable } from '../views/text/glimpse-table.js'
import { UsageError } from './exit.js'
import { Progress, say } from './terminal.js'

export interface TargetOptions {
  readonly pid?: string
  /** HOST:PORT. */
  readonly gdbRemote?: string
  readonly sysroot?: string
  readonly gdb: string | false
  readonly debug?: boolean
  readonly color: boolean
  readonly strict?: boolean
  readonly stop?: boolean
  /** How findings are judged, where it is not by the defaults. */
  readonly rules?: RuleSettings | undefined
}

/** Adds the options of every command that reads a target. */
export function withTargetOptions(command: Command): Command {
  return command
    .option('--pid <n>', 'a live process instead of a core file; it is not stopped')
    .option(
      '--gdb-remote <host:port>',
      'a process behind gdbserver there (with --pid N: that one); it stands still while it is read',
    )
    .option('--sysroot <folder>', "where the target's files are, when not at their own paths")
    .option('--gdb <path>', 'the gdb to run', 'gdb')
    .option('--no-gdb', 'do without gdb: no symbols, the layout is found in memory')
    .option('--strict', 'exit with 4 when the answer is partial')
    .option('--no-color', 'no colour (also: NO_COLOR)')
    .option('--debug', "show gdb's transcript and stack traces on stderr")
}

/** Adds --stop, for commands whose whole answer is of the moment of measuring. */
export function withStopOption(command: Command): Command {
  return command.option('--stop', 'let the live process stand still while it is read, for one exact picture')
}

/** The target that the arguments name; the positional ones that are left over stay. Throws UsageError. */
export function chooseTarget(
  positional: readonly string[],
  options: TargetOptions,
): { choice: TargetChoice; rest: readonly string[] } {
  if (options.gdbRemote !== undefined) return { choice: remoteChoice(options), rest: positional }
  if (options.pid !== undefined) {
    return { choice: { kind: 'live', pid: processId(options.pid) }, rest: positional }
  }
  if (options.stop)
    throw new UsageError('--stop is for live processes: a core does not move', 'name one with --pid N')
  const [path, ...rest] = positional
  if (path === undefined)
    throw new UsageError(
      'name a core file, a snapshot, --pid N or --gdb-remote HOST:PORT',
      'see arena-inspect --help',
    )
  const sysroot = options.sysroot === undefined ? {} : { sysroot: options.sysroot }
  return { choice: { kind: 'core', path, ...sysroot }, rest }
}

function processId(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`--pid takes a process id, not ${JSON.stringify(text)}`, 'see `pgrep -a NAME`')
}

function remoteChoice({ gdbRemote = '', pid, gdb, stop, sysroot }: TargetOptions): TargetChoice {
  if (gdb === false) throw new UsageError('--gdb-remote reads through gdb', 'leave out --no-gdb')
  if (stop)
    throw new UsageError('--stop is not needed: through --gdb-remote it stands still anyway', 'leave it out')
  return {
    kind: 'gdb',
    remote: endpointOrUsage(gdbRemote),
    pid: pid === undefined ? null : processId(pid),
    ...(sysroot === undefined ? {} : { sysroot }),
  }
}

function endpointOrUsage(text: string): string {
  try {
    parseEndpoint(text)
    return text
  } catch (error) {
    if (error instanceof TargetError) throw new UsageError(error.message, error.hint)
    throw error
  }
}

/** The choice of `TARGET [PROGRAM]`; any further argument is a usage error. */
export function chooseWithProgram(positional: readonly string[], options: TargetOptions): TargetChoice {
  const { choice, rest } = chooseTarget(positional, options)
  const [program, extra] = rest
  if (extra !== undefined || (program !== undefined && choice.kind !== 'core')) {
    throw new UsageError(`too many arguments: ${extra ?? program}`, 'see --help')
  }
  return choice.kind === 'core' && program !== undefined ? { ...choice, program } : choice
}

const MIB = 1 << 20

/** What whoever opens a target wants to hear meanwhile, instead of progress on stderr. */
export type OpeningEvents = Pick<SessionOptions, 'early'> & { readonly progress: HeapProgress }

/** Opens and measures a process, with progress on stderr, or told to `events` instead. */
export async function open(
  choice: TargetChoice,
  options: TargetOptions,
  events?: OpeningEvents,
): Promise<TargetSession> {
  return opened(openSession, choice, options, events)
}

/** The same of any target, also of snapshots and saved reports. */
export async function openSaved(
  choice: TargetChoice,
  options: TargetOptions,
  events?: OpeningEvents,
): Promise<InspectedSession> {
  return opened(openAny, choice, options, events)
}

async function opened<S>(
  opener: (choice: TargetChoice, options: SessionOptions) => Promise<S>,
  choice: TargetChoice,
  options: TargetOptions,
  events?: OpeningEvents,
): Promise<S> {
  const shown = new Progress('reading arenas')
  const unpacking = new Progress('unpacking, MiB')
  const gdb = options.gdb === false ? { useGdb: false } : { gdbPath: options.gdb }
  const transcript = options.debug
    ? { transcript: (direction: string, line: string) => say(`gdb ${direction} ${line}`) }
    : {}
  try {
    return await opener(choice, {
      stop: options.stop === true,
      rules: options.rules,
      ...gdb,
      ...transcript,
      gdbOnlyInDoubt: true,
      ...(events ?? { progress: (done, known, held) => shown.update(done, known, () => glimpse(held)) }),
      unpackProgress: (done, total) => unpacking.update(Math.floor(done / MIB), Math.ceil(total / MIB)),
    })
  } finally {
    unpacking.stop()
    shown.stop()
  }
}

const GLIMPSE_ROWS = 8

/** The arenas by their headers, before their chunks are read. */
export function glimpse(arenas: readonly ArenaGlimpse[], most = GLIMPSE_ROWS): string {
  return glimpseTable(
    arenas.map((arena) => ({ ...arena, address: hex(arena.address) })),
    most,
  )
}
