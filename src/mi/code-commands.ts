// gdb/MI commands about code and its sources, one typed function each.
import { hexOrNull, tuples } from './frame-commands.js'
import type { CommandOptions, GdbSession } from './gdb-session.js'
import { miQuote } from './quote.js'
import { insideField, type MiResult, textField } from './record.js'

/** One machine instruction. */
export interface MiInstruction {
  readonly address: bigint
  readonly functionName: string | null
  readonly functionOffset: number | null
  /** Bytes as gdb writes them: `48 89 e5`. */
  readonly opcodes: string
  readonly text: string
  readonly fullName: string | null
  readonly line: number | null
}

/** `-data-disassemble` of [start, end), with sources where they are known. Refused where memory cannot be read. */
export async function dataDisassemble(
  session: GdbSession,
  start: bigint,
  end: bigint,
  options?: CommandOptions,
): Promise<readonly MiInstruction[]> {
  const range = `-s 0x${start.toString(16)} -e 0x${end.toString(16)}`
  return toInstructions((await session.send(`-data-disassemble ${range} -- 5`, options)).record.results)
}

/** `-data-disassemble -a`: the whole function around `at`. Refused where there is none. */
export async function disassembleFunction(
  session: GdbSession,
  at: bigint,
  options?: CommandOptions,
): Promise<readonly MiInstruction[]> {
  const { record } = await session.send(`-data-disassemble -a 0x${at.toString(16)} -- 5`, options)
  return toInstructions(record.results)
}

function toInstructions(results: readonly MiResult[]): readonly MiInstruction[] {
  const found = insideField(results, 'asm_insns').flatMap(({ value }) => {
    if (typeof value === 'string') return []
    const bare = instruction(value.results, null, null)
    if (bare) return [bare]
    const fullName = textField(value.results, 'fullname') ?? null
    const line = Number(textField(value.results, 'line')) || null
    return tuples(value.results, 'line_asm_insn').flatMap((inside) => {
      const one = instruction(inside.results, fullName, line)
      return one ? [one] : []
    })
  })
  // By line, gdb's order is the lines'.
  return found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
}

function instruction(
  results: readonly MiResult[],
  fullName: string | null,
  line: number | null,
): MiInstruction | null {
  const address = hexOrNull(textField(results, 'address'))
  if (address === null) return null
  const offset = Number(textField(results, 'offset'))
  return {
    address,
    functionName: textField(results, 'func-name') ?? null,
    functionOffset: Number.isInteger(offset) ? offset : null,
    opcodes: textField(results, 'opcodes') ?? '',
    text: textField(results, 'inst') ?? '',
    fullName,
    line,
  }
}

/** A source file that debug information names. */
export interface MiSourceFile {
  readonly file: string
  readonly fullName: string | null
}

/** `-file-list-exec-source-files`. */
export async function listSourceFiles(
  session: GdbSession,
  options?: CommandOptions,
): Promise<readonly MiSourceFile[]> {
  const { record } = await session.send('-file-list-exec-source-files', options)
  return tuples(record.results, 'files').flatMap(({ results }) => {
    const file = textField(results, 'file')
    return file === undefined ? [] : [{ file, fullName: textField(results, 'fullname') ?? null }]
  })
}

/** `-complete` (gdb 9): whole lines that begin with `text`. */
export async function completeLine(
  session: GdbSession,
  text: string,
  options?: CommandOptions,
): Promise<readonly string[]> {
  const { record } = await session.send(`-complete ${miQuote(text)}`, options)
  return insideField(record.results, 'matches').flatMap(({ value }) =>
    typeof value === 'string' ? [value] : [],
  )
}
