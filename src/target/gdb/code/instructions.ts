// Instructions around an address, also before it: backwards they can only be told inside of known functions.
import { address } from '../../../memory/address.js'
import { dataDisassemble, disassembleFunction, type MiInstruction } from '../../../mi/code-commands.js'
import type { GdbSession } from '../../../mi/gdb-session.js'
import { unlessRefused } from '../../../mi/unless-refused.js'
import type { CodeInstruction, SourceFile } from '../../code.js'

const STEP_BYTES = 1024
const TOP = 1n << 64n

/** Exactly `before` + `after` instructions; those that cannot be read or told have no text. */
export async function instructionsAround(
  gdb: GdbSession,
  at: bigint,
  before: number,
  after: number,
  sourceOf: (path: string) => SourceFile,
): Promise<CodeInstruction[]> {
  const earlier = before > 0 ? await backwards(gdb, at, before) : []
  const later = after > 0 ? await forwards(gdb, at, after) : []
  const first = earlier[0]?.address ?? at
  const last = later.at(-1)
  const end = last ? last.address + BigInt(lengthOf(last)) : at
  return [
    ...missing(first - BigInt(before - earlier.length), before - earlier.length),
    ...[...earlier, ...later].map((found) => toInstruction(found, sourceOf)),
    ...missing(end, after - later.length),
  ]
}

async function forwards(gdb: GdbSession, start: bigint, count: number): Promise<MiInstruction[]> {
  const found: MiInstruction[] = []
  let at = start
  let step = STEP_BYTES
  while (found.length < count && at < TOP) {
    const part = await unlessRefused(dataDisassemble(gdb, at, at + BigInt(step)))
    if (part && part.length > 0) {
      found.push(...part)
      const last = part.at(-1)!
      at = last.address + BigInt(lengthOf(last))
    } else if (step === 1) break
    // The last instructions before what cannot be read are asked for in ever smaller steps.
    else step = Math.max(1, step >> 1)
  }
  return found.slice(0, count)
}

async function backwards(gdb: GdbSession, end: bigint, count: number): Promise<MiInstruction[]> {
  let found: MiInstruction[] = []
  for (let at = end; found.length < count; ) {
    // At the start of a function the one before it is wanted.
    const around = await unlessRefused(disassembleFunction(gdb, found.length === 0 ? at : at - 1n))
    const own = around?.filter((instruction) => instruction.address < at) ?? []
    const whole = own.length > 0 ? own : found.length === 0 && at > 0n ? await justBefore(gdb, at) : []
    const last = whole.at(-1)
    if (!last || last.address + BigInt(lengthOf(last)) !== at) break
    found = [...whole, ...found]
    at = found[0]!.address
  }
  return found.slice(Math.max(0, found.length - count))
}

async function justBefore(gdb: GdbSession, at: bigint): Promise<readonly MiInstruction[]> {
  return (await unlessRefused(disassembleFunction(gdb, at - 1n)))?.filter(({ address }) => address < at) ?? []
}

function lengthOf({ opcodes }: MiInstruction): number {
  return Math.max(1, opcodes.split(' ').filter((byte) => byte !== '').length)
}

function missing(start: bigint, count: number): CodeInstruction[] {
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    address: address(BigInt.asUintN(64, start + BigInt(index))),
    symbol: null,
    bytes: '',
    text: '',
    source: null,
    line: null,
  }))
}

function toInstruction(found: MiInstruction, sourceOf: (path: string) => SourceFile): CodeInstruction {
  const { functionName, functionOffset, opcodes, text, fullName, line } = found
  return {
    address: address(found.address),
    symbol:
      functionName === null ? null : functionOffset ? `${functionName}+${functionOffset}` : functionName,
    bytes: opcodes,
    text,
    source: fullName === null ? null : sourceOf(fullName),
    line,
  }
}
