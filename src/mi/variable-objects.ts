// gdb/MI variable objects: values that can be opened member by member.
import type { MiFramePlace } from './frame-commands.js'
import { tuples } from './frame-commands.js'
import type { CommandOptions, GdbSession } from './gdb-session.js'
import { miQuote } from './quote.js'
import { type MiResult, textField } from './record.js'

/** A value that gdb keeps under a name of its own. */
export interface MiObject {
  readonly name: string
  /** What it is inside of its parent; the expression itself of one that was created. */
  readonly expression: string
  readonly type: string | null
  readonly value: string
  readonly children: number
}

/** `-var-create` of an expression in a frame. Refused where gdb cannot evaluate it. */
export async function varCreate(
  session: GdbSession,
  { thread, level }: MiFramePlace,
  expression: string,
  options?: CommandOptions,
): Promise<MiObject> {
  const { record } = await session.send(
    `-var-create --thread ${thread} --frame ${level} - * ${miQuote(expression)}`,
    options,
  )
  return toObject(record.results, expression)
}

/** `-var-list-children`: of classes these are `public`, `private` and so on, without a type. */
export async function varListChildren(
  session: GdbSession,
  name: string,
  options?: CommandOptions,
): Promise<readonly MiObject[]> {
  const { record } = await session.send(`-var-list-children --all-values ${miQuote(name)}`, options)
  return tuples(record.results, 'children').map(({ results }) => toObject(results, ''))
}

/** `-var-info-path-expression`: what evaluates to the same value. */
export async function varPathExpression(
  session: GdbSession,
  name: string,
  options?: CommandOptions,
): Promise<string> {
  const { record } = await session.send(`-var-info-path-expression ${miQuote(name)}`, options)
  return textField(record.results, 'path_expr') ?? ''
}

function toObject(results: readonly MiResult[], expression: string): MiObject {
  return {
    name: textField(results, 'name') ?? '',
    expression: textField(results, 'exp') ?? expression,
    type: textField(results, 'type') ?? null,
    value: textField(results, 'value') ?? '',
    children: Number(textField(results, 'numchild')) || 0,
  }
}
