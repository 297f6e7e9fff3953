// gdb/MI commands, one typed function each.
import type { CommandOptions, GdbSession } from './gdb-session.js'
import { miQuote } from './quote.js'
import { insideField, type MiResult, textField } from './record.js'

/** `-gdb-version`: the first line, e.g. `GNU gdb (Debian 13.1-3) 13.1`. */
export async function gdbVersion(session: GdbSession, options?: CommandOptions): Promise<string> {
  return (await session.send('-gdb-version', options)).console.split('\n')[0]!
}

/** `-list-features`: names such as `python`. */
export async function listFeatures(
  session: GdbSession,
  options?: CommandOptions,
): Promise<readonly string[]> {
  const { record } = await session.send('-list-features', options)
  return insideField(record.results, 'features').flatMap(({ value }) =>
    typeof value === 'string' ? [value] : [],
  )
}

/** `-gdb-set NAME VALUE`. */
export async function gdbSet(session: GdbSession, setting: string, options?: CommandOptions): Promise<void> {
  await session.send(`-gdb-set ${setting}`, options)
}

/** `-gdb-show NAME`: the value as gdb words it; '' when it has none. */
export async function gdbShow(session: GdbSession, name: string, options?: CommandOptions): Promise<string> {
  return textField((await session.send(`-gdb-show ${name}`, options)).record.results, 'value') ?? ''
}

/** `-data-evaluate-expression`: the value as gdb prints it. */
export async function dataEvaluateExpression(
  session: GdbSession,
  expression: string,
  options?: CommandOptions,
): Promise<string> {
  const { record } = await session.send(`-data-evaluate-expression ${miQuote(expression)}`, options)
  return textField(record.results, 'value') ?? ''
}

/** A thread as gdb lists it. */
export interface MiThread {
  /** gdb's own number, for `--thread`. */
  readonly id: number
  /** e.g. `Thread 0x7ffff7d8a740 (LWP 4077)`. */
  readonly targetId: string
  readonly name: string | null
}

/** `-thread-info`: every thread, in gdb's order. */
export async function threadInfo(
  session: GdbSession,
  options?: CommandOptions,
): Promise<readonly MiThread[]> {
  const { record } = await session.send('-thread-info', options)
  return insideField(record.results, 'threads').flatMap(({ value }) => {
    if (typeof value === 'string') return []
    const id = Number(textField(value.results, 'id'))
    const targetId = textField(value.results, 'target-id') ?? ''
    return Number.isInteger(id) ? [{ id, targetId, name: textField(value.results, 'name') ?? null }] : []
  })
}

/** A stack frame as gdb lists it; level 0 is the innermost. */
export interface MiFrame {
  readonly level: number
  readonly pc: bigint
  readonly functionName: string | null
  readonly file: string | null
  readonly line: number | null
}

/** `-stack-list-frames`: frames `low` to `high`, both included, of the thread with gdb's number `thread`. */
export async function stackListFrames(
  session: GdbSession,
  thread: number,
  low: number,
  high: number,
  options?: CommandOptions,
): Promise<readonly MiFrame[]> {
  const { record } = await session.send(`-stack-list-frames --thread ${thread} ${low} ${high}`, options)
  return insideField(record.results, 'stack').flatMap(({ value }) =>
    typeof value === 'string' ? [] : toFrame(value.results),
  )
}

function toFrame(results: readonly MiResult[]): MiFrame[] {
  const level = Number(textField(results, 'level'))
  const pc = textField(results, 'addr')
  if (!Number.isInteger(level) || pc === undefined || !/^0x[0-9a-f]+$/i.test(pc)) return []
  const line = Number(textField(results, 'line'))
  return [
    {
      level,
      pc: BigInt(pc),
      functionName: textField(results, 'func') ?? null,
      file: textField(results, 'file') ?? textField(results, 'from') ?? null,
      line: Number.isInteger(line) && line > 0 ? line : null,
    },
  ]
}
