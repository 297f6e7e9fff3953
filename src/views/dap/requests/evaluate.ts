// evaluate, completions: the console, hovers and watches.
import { printable } from '../../../format/printable.js'
import { hex } from '../../../memory/address.js'
import { CodeRefusal, type Debuggee } from '../../../session/debuggee.js'
import { type Arguments, addressOf } from '../arguments.js'
import type { Conversation, RequestHandler } from '../conversation.js'
import { DapError } from '../errors.js'
import { runsTarget } from '../running-commands.js'
import type { Work } from '../services.js'
import { codeRow } from '../variables/code-nodes.js'
import { toVariable } from '../variables/to-variable.js'

const GDB = '-exec'

export const evaluate: RequestHandler = async (conversation, args, work) => {
  const debuggee = await conversation.debuggee()
  const text = args.wantedText('expression').trim()
  if (text === '') return { result: '', variablesReference: 0 }
  if (args.text('context') === 'repl') {
    const printed = await printedBy(conversation, debuggee, text, work)
    if (printed !== null) return { result: readable(printed), variablesReference: 0 }
  }
  if (/^0x[0-9a-f]{1,16}$/i.test(text)) return described(debuggee, text)
  return value(conversation, debuggee, text, args)
}

// Lines stay lines; whatever else would act on a terminal is shown.
function readable(text: string): string {
  return text.trimEnd().replaceAll('\t', '  ').split('\n').map(printable).join('\n')
}

async function printedBy(
  conversation: Conversation,
  debuggee: Debuggee,
  line: string,
  work: Work,
): Promise<string | null> {
  if (line === GDB || line.startsWith(`${GDB} `)) {
    if (!debuggee.code) throw new DapError('noCode', { why: debuggee.whyNoCode ?? '' })
    const command = line.slice(GDB.length).trim()
    if (runsTarget(command)) throw new DapError('doesNotRun', { command, label: conversation.label })
    return command === '' ? '' : debuggee.code.command(command)
  }
  const before = debuggee.session.report
  const printed = await conversation.services.run(debuggee, line, work)
  if (debuggee.session.report !== before && conversation.wantsInvalidated)
    conversation.send('invalidated', { areas: ['variables'] })
  return printed
}

function described({ session }: Debuggee, text: string): object {
  const at = addressOf(text)
  return {
    result: session.describe(at).lines.map(printable).join('; '),
    variablesReference: 0,
    memoryReference: hex(at),
    type: 'address',
  }
}

async function value(
  conversation: Conversation,
  debuggee: Debuggee,
  text: string,
  args: Arguments,
): Promise<object> {
  const { code, whyNoCode } = debuggee
  if (!code) throw new DapError('notAnExpression', { text: JSON.stringify(text), why: whyNoCode ?? '' })
  const place = conversation.frameOrFirst(args.whole('frameId'), debuggee)
  const row = codeRow(await code.evaluate(place, text))
  const key = `evaluate ${place.tid}:${place.level}`
  const {
    name: _,
    value: result,
    evaluateName: __,
    ...rest
  } = toVariable(conversation.references, key, row, 0)
  return { result, ...rest }
}

export const completions: RequestHandler = async (conversation, args) => {
  const debuggee = await conversation.debuggee()
  const text = args.wantedText('text')
  const line = text.split('\n')[Math.max(0, (args.whole('line') ?? 1) - 1)] ?? ''
  const before = line.slice(0, Math.max(0, args.wantedWhole('column') - conversation.columnsStartAt))
  const gdb = new RegExp(`^\\s*${GDB}\\s+`).exec(before)
  if (gdb) return { targets: await gdbCompletions(debuggee, before.slice(gdb[0].length), before.length) }
  const targets = conversation.services.complete(before).map(({ text: label, replaced, detail }) => ({
    label,
    start: before.length - replaced,
    length: replaced,
    ...(detail === null ? {} : { detail }),
  }))
  return { targets }
}

const MOST_COMPLETIONS = 200

async function gdbCompletions({ code }: Debuggee, typed: string, end: number): Promise<object[]> {
  if (!code) return []
  // gdb completes whole lines; the last word is what is put in.
  const word = /[^\s]*$/.exec(typed)![0]
  try {
    const lines = await code.complete(typed)
    return lines.slice(0, MOST_COMPLETIONS).map((whole) => ({
      label: whole.slice(typed.length - word.length),
      start: end - word.length,
      length: word.length,
    }))
  } catch (error) {
    if (error instanceof CodeRefusal && !error.isFailure) return []
    throw error
  }
}
