// readMemory, disassemble.
import type { DebugProtocol } from '@vscode/debugprotocol'
import { printable } from '../../../format/printable.js'
import { type Address, address, hex } from '../../../memory/address.js'
import type { CodeInstruction } from '../../../session/debuggee.js'
import { type Arguments, addressOf } from '../arguments.js'
import type { RequestHandler } from '../conversation.js'
import { DapError } from '../errors.js'
import { toSource } from './modules.js'

/** More takes seconds to encode; a client asks for the rest again. */
const MOST_BYTES = 1 << 20
const MOST_INSTRUCTIONS = 4096

/** The bytes up to the first that cannot be read, and how many from there on cannot. */
export const readMemory: RequestHandler = async (conversation, args) => {
  const { session } = await conversation.debuggee()
  const start = place(args)
  const count = Math.min(args.wantedWhole('count'), MOST_BYTES, Number((1n << 64n) - start))
  if (count === 0) return { address: hex(start) }
  const { bytes, known } = session.read(start, count)
  const missing = known.indexOf(0)
  const readable = missing < 0 ? count : missing
  const goesOn = known.indexOf(1, readable)
  const unreadableBytes = (goesOn < 0 ? count : goesOn) - readable
  return {
    address: hex(start),
    ...(unreadableBytes === 0 ? {} : { unreadableBytes }),
    ...(readable === 0
      ? {}
      : { data: Buffer.from(bytes.buffer, bytes.byteOffset, readable).toString('base64') }),
  }
}

export const disassemble: RequestHandler = async (conversation, args) => {
  const { code, whyNoCode } = await conversation.debuggee()
  if (!code) throw new DapError('noCode', { why: whyNoCode ?? '' })
  const at = place(args)
  const count = args.wantedWhole('instructionCount')
  if (count > MOST_INSTRUCTIONS)
    throw new DapError('tooMuch', { what: 'instructions', most: String(MOST_INSTRUCTIONS) })
  const from = args.whole('instructionOffset', -MOST_INSTRUCTIONS) ?? 0
  if (from > MOST_INSTRUCTIONS)
    throw new DapError('tooMuch', { what: 'instructions', most: String(MOST_INSTRUCTIONS) })
  const before = Math.max(0, -from)
  const after = Math.max(0, from + count)
  const found = await code.disassemble(at, before, after)
  // Of `before` and `after` instructions the wanted ones are in the middle.
  const wanted = found.slice(Math.max(0, from), Math.max(0, from) + count)
  return { instructions: wanted.map((one) => toInstruction(one, conversation.linesStartAt)) }
}

function toInstruction(
  { address: at, symbol, bytes, text, source, line }: CodeInstruction,
  linesStartAt: number,
): DebugProtocol.DisassembledInstruction {
  if (text === '') return { address: hex(at), instruction: '??', presentationHint: 'invalid' }
  return {
    address: hex(at),
    instruction: printable(text),
    instructionBytes: bytes,
    ...(symbol === null ? {} : { symbol: printable(symbol) }),
    ...(source ? { location: toSource(source) } : {}),
    ...(source && line !== null ? { line: line - 1 + linesStartAt } : {}),
  }
}

function place(args: Arguments): Address {
  const at =
    addressOf(args.wantedText('memoryReference')) + BigInt(args.whole('offset', Number.MIN_SAFE_INTEGER) ?? 0)
  if (at < 0n || at >= 1n << 64n) throw args.bad('the offset leads out of the address space')
  return address(at)
}
