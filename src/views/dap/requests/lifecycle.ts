// initialize, launch, attach, configurationDone, disconnect, terminate.
import { constants } from 'node:os'
import { resolve } from 'node:path'
import type { DebugProtocol } from '@vscode/debugprotocol'
import { printable } from '../../../format/printable.js'
import { countOf } from '../../../format/sizes.js'
import type { Debuggee } from '../../../session/debuggee.js'
import type { Arguments } from '../arguments.js'
import type { Conversation, RequestHandler } from '../conversation.js'
import { DapError } from '../errors.js'
import type { OpenArguments } from '../services.js'

/** What is offered, and nothing that is not. */
const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsEvaluateForHovers: true,
  supportsReadMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsModulesRequest: true,
  supportsLoadedSourcesRequest: true,
  supportsCancelRequest: true,
  supportsExceptionInfoRequest: true,
  supportsCompletionsRequest: true,
  supportsDelayedStackTraceLoading: true,
  supportsTerminateRequest: true,
  supportsClipboardContext: true,
  supportTerminateDebuggee: false,
  supportsSetVariable: false,
  supportsSetExpression: false,
  supportsWriteMemoryRequest: false,
}

export const initialize: RequestHandler = (conversation, args) => {
  const pathFormat = args.text('pathFormat')
  if (pathFormat !== null && pathFormat !== 'path') throw args.bad('paths are given as paths, not as URIs')
  conversation.wantsProgress = args.flag('supportsProgressReporting') === true
  conversation.wantsInvalidated = args.flag('supportsInvalidatedEvent') === true
  conversation.linesStartAt = args.flag('linesStartAt1') === false ? 0 : 1
  conversation.columnsStartAt = args.flag('columnsStartAt1') === false ? 0 : 1
  return CAPABILITIES
}

/** launch and attach are the same: nothing is started, and nothing stopped unless "stop" is given. */
export const open: RequestHandler = async (conversation, args, work) => {
  const wanted = wantedOf(args)
  const label = wanted.core ?? wanted.report ?? `process ${wanted.pid}`
  const debuggee = await conversation.open(label, () => {
    work.start(`Reading ${printable(label)}`)
    return conversation.services.open(wanted, work)
  })
  tellOpened(conversation, debuggee)
  void conversation.configured.then(() => tellStopped(conversation, debuggee))
  return undefined
}

function wantedOf(args: Arguments): OpenArguments {
  const folder = args.text('cwd') ?? process.cwd()
  const path = (name: string) => {
    const text = args.text(name)
    return text === null || text === '' ? null : resolve(folder, text)
  }
  const core = path('core')
  const report = path('report')
  const pid = pidOf(args)
  const named = [core, report, pid].filter((value) => value !== null).length
  if (named === 0) throw new DapError('nothingNamed')
  if (named > 1) throw args.bad('"core", "pid" and "report" exclude each other')
  const stop = args.flag('stop') === true
  if (stop && pid === null) throw args.bad('"stop" is for a live process: nothing else moves')
  if (stop && (pid === process.pid || pid === process.ppid))
    throw args.bad('"stop" would stop the debug adapter itself, or what started it')
  const gdbPath = args.text('gdbPath')
  return {
    core,
    report,
    pid,
    program: path('program'),
    sysroot: path('sysroot'),
    gdbPath: gdbPath === '' ? null : gdbPath,
    stop,
  }
}

// A variable of the editor, such as a picked process, arrives as text.
function pidOf(args: Arguments): number | null {
  if (!args.isText('pid')) return args.whole('pid', 1)
  const text = args.wantedText('pid')
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw args.bad('"pid" takes the number of a process')
}

// The verdict comes first, in the console.
function tellOpened(conversation: Conversation, debuggee: Debuggee): void {
  const { target, findings, problems, heap } = debuggee.session.report
  const glibc = target.glibc ? `glibc ${target.glibc.version ?? 'of unknown version'}` : 'no glibc malloc'
  const lines = [
    `${target.label}: ${countOf(target.threads, 'thread')}, ${glibc}, ${countOf(heap?.arenas.length ?? 0, 'arena')}`,
    ...findings.map(
      ({ severity, title, nextStep }) => `${severity.toUpperCase()}  ${title}\n    ${nextStep}`,
    ),
    ...problems,
    ...debuggee.warnings().filter((warning) => !problems.includes(warning)),
    ...(debuggee.whyNoCode === null ? [] : [debuggee.whyNoCode]),
    'help lists the commands of this console',
  ]
  const output = lines.map((text) => text.split('\n').map(printable).join('\n')).join('\n')
  conversation.send('output', { category: 'console', output: `${output}\n` })
}

function tellStopped(conversation: Conversation, debuggee: Debuggee): void {
  const [first] = debuggee.threads()
  const { signal, whyNoCode } = debuggee
  const name = signal === null ? null : signalName(signal)
  const isRunning = debuggee.session.isLive && debuggee.code === null
  const body: DebugProtocol.StoppedEvent['body'] = {
    reason: name === null ? 'pause' : 'exception',
    description:
      name === null ? (isRunning ? 'Running, read without a stop' : 'Not running') : `Ended by ${name}`,
    ...(whyNoCode === null ? {} : { text: whyNoCode }),
    threadId: first?.tid ?? NO_THREAD,
    allThreadsStopped: !isRunning,
  }
  conversation.send('stopped', body)
}

/** Stands for the threads where none are known. */
export const NO_THREAD = 1

export function signalName(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal)
  return found?.[0] ?? `signal ${signal}`
}

export const configurationDone: RequestHandler = (conversation) => {
  conversation.setConfigured()
  return undefined
}

/** The target runs on: nothing of it was started by us. */
export const terminate: RequestHandler = (conversation) => {
  conversation.send('terminated')
  return undefined
}

/** The adapter ends the connection after the answer. */
export const disconnect: RequestHandler = async (conversation) => {
  await conversation.close()
  return undefined
}
