// gdb/MI commands about one frame of one thread, one typed function each.
import type { CommandOptions, GdbSession } from './gdb-session.js'
import { miQuote } from './quote.js'
import { insideField, type MiResult, type MiTuple, textField } from './record.js'

/** A frame by gdb's own thread number and its level, 0 the innermost. */
export interface MiFramePlace {
  readonly thread: number
  readonly level: number
}

/** `-stack-list-frames` with all that gdb tells of a frame. */
export interface MiFullFrame {
  readonly level: number
  readonly pc: bigint
  readonly functionName: string | null
  /** As the compiler was given it, and made absolute by gdb. */
  readonly file: string | null
  readonly fullName: string | null
  readonly line: number | null
  /** The library, where there is no source. */
  readonly from: string | null
}

/** Frames `low` to `high`, both included; fewer where the stack ends. */
export async function stackListFullFrames(
  session: GdbSession,
  thread: number,
  low: number,
  high: number,
  options?: CommandOptions,
): Promise<readonly MiFullFrame[]> {
  const { record } = await session.send(`-stack-list-frames --thread ${thread} ${low} ${high}`, options)
  return tuples(record.results, 'stack').flatMap(({ results }) => {
    const level = Number(textField(results, 'level'))
    const pc = hexOrNull(textField(results, 'addr'))
    if (!Number.isInteger(level) || pc === null) return []
    const line = Number(textField(results, 'line'))
    return [
      {
        level,
        pc,
        functionName: textField(results, 'func') ?? null,
        file: textField(results, 'file') ?? null,
        fullName: textField(results, 'fullname') ?? null,
        line: Number.isInteger(line) && line > 0 ? line : null,
        from: textField(results, 'from') ?? null,
      },
    ]
  })
}

/** A local variable or argument; the value only of simple types. */
export interface MiVariable {
  readonly name: string
  readonly isArgument: boolean
  readonly type: string | null
  readonly value: string | null
}

/** `-stack-list-variables --simple-values`: innermost block first, so a name can come twice. */
export async function stackListVariables(
  session: GdbSession,
  { thread, level }: MiFramePlace,
  options?: CommandOptions,
): Promise<readonly MiVariable[]> {
  const { record } = await session.send(
    `-stack-list-variables --thread ${thread} --frame ${level} --simple-values`,
    options,
  )
  return tuples(record.results, 'variables').flatMap(({ results }) => {
    const name = textField(results, 'name')
    if (name === undefined) return []
    return [
      {
        name,
        isArgument: textField(results, 'arg') === '1',
        type: textField(results, 'type') ?? null,
        value: textField(results, 'value') ?? null,
      },
    ]
  })
}

/** `-data-list-register-names`: by gdb's number; '' where a number has no register. */
export async function dataListRegisterNames(
  session: GdbSession,
  options?: CommandOptions,
): Promise<readonly string[]> {
  const { record } = await session.send('-data-list-register-names', options)
  return insideField(record.results, 'register-names').map(({ value }) =>
    typeof value === 'string' ? value : '',
  )
}

/** `-data-list-register-values` in hexadecimal, of registers by number; those that cannot be had are absent. */
export async function dataListRegisterValues(
  session: GdbSession,
  { thread, level }: MiFramePlace,
  numbers: readonly number[],
  options?: CommandOptions,
): Promise<ReadonlyMap<number, string>> {
  const { record } = await session.send(
    `-data-list-register-values --thread ${thread} --frame ${level} --skip-unavailable x ${numbers.join(' ')}`,
    options,
  )
  const values = tuples(record.results, 'register-values').map(
    ({ results }) => [Number(textField(results, 'number')), textField(results, 'value') ?? ''] as const,
  )
  return new Map(values)
}

/** `-data-evaluate-expression` in a frame. */
export async function evaluateInFrame(
  session: GdbSession,
  { thread, level }: MiFramePlace,
  expression: string,
  options?: CommandOptions,
): Promise<string> {
  const { record } = await session.send(
    `-data-evaluate-expression --thread ${thread} --frame ${level} ${miQuote(expression)}`,
    options,
  )
  return textField(record.results, 'value') ?? ''
}

export function tuples(results: readonly MiResult[], name: string): readonly MiTuple[] {
  return insideField(results, name).flatMap(({ value }) =>
    typeof value !== 'string' && value.kind === 'tuple' ? [value] : [],
  )
}

export function hexOrNull(text: string | undefined): bigint | null {
  return text !== undefined && /^0x[0-9a-f]+$/i.test(text) ? BigInt(text) : null
}
