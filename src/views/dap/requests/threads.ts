// threads, stackTrace, exceptionInfo.
import { basename } from 'node:path'
import type { DebugProtocol } from '@vscode/debugprotocol'
import { printable } from '../../../format/printable.js'
import { address, hex } from '../../../memory/address.js'
import type { CodeFrame, Debuggee } from '../../../session/debuggee.js'
import type { Conversation, RequestHandler } from '../conversation.js'
import { DapError } from '../errors.js'
import { NO_THREAD, signalName } from './lifecycle.js'
import { REPORT_SOURCE, toSource } from './modules.js'

/** A request that says no number of levels gets so many. */
const MOST_FRAMES = 1000
/** Among so many it is looked for one with a source. */
const FRAMES_OF_A_SCREEN = 20

export const threads: RequestHandler = async (conversation) => {
  const debuggee = await conversation.debuggee()
  const known = debuggee.threads().map(({ tid, name }) => ({
    id: tid,
    name: name === null ? `thread ${tid}` : `${printable(name)} (${tid})`,
  }))
  return { threads: known.length > 0 ? known : [{ id: NO_THREAD, name: 'no threads known' }] }
}

export const stackTrace: RequestHandler = async (conversation, args) => {
  const debuggee = await conversation.debuggee()
  const tid = args.wantedWhole('threadId')
  checkThread(debuggee, tid)
  const from = args.whole('startFrame') ?? 0
  const wanted = args.whole('levels') || MOST_FRAMES
  if (!debuggee.code) return explained(conversation, debuggee, tid, from)
  const count = Math.min(wanted, MOST_FRAMES)
  // One more than wanted tells whether the stack goes on.
  const most = Math.max(count + 1, from === 0 ? FRAMES_OF_A_SCREEN : 0)
  const found = await debuggee.code.frames(tid, from, most)
  const stackFrames = found.slice(0, count).map((frame) => toFrame(conversation, debuggee, tid, frame))
  const [innermost] = stackFrames
  if (innermost && from === 0 && !found.some(({ source }) => source?.isHere))
    stackFrames[0] = withReport(conversation, innermost)
  return { stackFrames, totalFrames: from + found.length }
}

// VS Code selects the first frame that has a source it can open; where none is selected, it shows no scopes.
function withReport(
  conversation: Conversation,
  { presentationHint: _, ...frame }: DebugProtocol.StackFrame,
): DebugProtocol.StackFrame {
  return { ...frame, source: REPORT_SOURCE, line: conversation.linesStartAt }
}

function checkThread(debuggee: Debuggee, tid: number): void {
  const known = debuggee.threads()
  const isKnown = known.length === 0 ? tid === NO_THREAD : known.some((thread) => thread.tid === tid)
  if (!isKnown) throw new DapError('noSuchThread', { id: String(tid) })
}

// The scopes of ours hang on a frame, so there is one that says why it is none.
function explained(conversation: Conversation, { whyNoCode }: Debuggee, tid: number, from: number): object {
  const frame: DebugProtocol.StackFrame = {
    id: conversation.frames.numberOf({ tid, level: 0 }),
    name: `no stack: ${printable(whyNoCode ?? '')}`,
    line: 0,
    column: 0,
  }
  return { stackFrames: from === 0 ? [withReport(conversation, frame)] : [], totalFrames: 1 }
}

function toFrame(
  conversation: Conversation,
  debuggee: Debuggee,
  tid: number,
  frame: CodeFrame,
): DebugProtocol.StackFrame {
  const { level, pc, functionName, source, line, library } = frame
  const module = moduleAt(debuggee, pc)
  const isHere = source?.isHere === true
  // An editor would open an empty file where there is none: such a place is told in the name.
  const where = isHere
    ? ''
    : source
      ? ` at ${basename(source.path)}${line === null ? '' : `:${line}`}`
      : library === null
        ? ''
        : ` in ${basename(library)}`
  return {
    id: conversation.frames.numberOf({ tid, level }),
    name: printable(`${functionName ?? hex(pc)}${where}`),
    line: isHere && line !== null ? line - 1 + conversation.linesStartAt : 0,
    column: 0,
    instructionPointerReference: hex(pc),
    ...(source && isHere ? { source: toSource(source) } : {}),
    ...(module === null ? {} : { moduleId: module }),
    ...(isHere ? {} : { presentationHint: 'subtle' as const }),
  }
}

function moduleAt(debuggee: Debuggee, pc: bigint): string | null {
  let found: string | null = null
  let nearest = -1n
  for (const { base, path } of debuggee.modules()) {
    if (base > pc || base <= nearest) continue
    nearest = base
    found = `${path}@${hex(base)}`
  }
  return found
}

const MEANINGS: Readonly<Record<string, string>> = {
  SIGABRT: 'aborted: by abort(), which glibc also calls when it finds the heap damaged',
  SIGSEGV: 'segmentation fault: memory that is not mapped, or not to be touched like that',
  SIGBUS: 'bus error: memory behind the end of a file, or not aligned',
  SIGFPE: 'arithmetic fault',
  SIGILL: 'no valid instruction',
  SIGTRAP: 'trap',
  SIGKILL: 'killed',
  SIGTERM: 'asked to end',
  SIGQUIT: 'asked to end with a core',
}
const WITH_ADDRESS = new Set(['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL'])

export const exceptionInfo: RequestHandler = async (conversation, args) => {
  const debuggee = await conversation.debuggee()
  const tid = args.wantedWhole('threadId')
  checkThread(debuggee, tid)
  if (debuggee.signal === null) {
    const why = debuggee.session.isLive ? 'the process lives' : 'the core names none'
    throw new DapError('noException', { why })
  }
  const name = signalName(debuggee.signal)
  const at = WITH_ADDRESS.has(name) ? await faultAddress(debuggee, tid) : null
  const description = `${MEANINGS[name] ?? name}${at === null ? '' : `, at ${at}`}`
  return {
    exceptionId: name,
    description,
    breakMode: 'unhandled',
    details: { typeName: name, message: description },
  }
}

async function faultAddress({ code }: Debuggee, tid: number): Promise<string | null> {
  const value = await code
    ?.evaluate({ tid, level: 0 }, '$_siginfo._sifields._sigfault.si_addr')
    .catch(() => null)
  return value?.address === undefined || value.address === null ? null : hex(address(value.address))
}
