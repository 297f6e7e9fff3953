// Variables of a frame by gdb's variable objects, arrays element by element.
import { type Address, address } from '../../../memory/address.js'
import { evaluateInFrame, type MiFramePlace, stackListVariables } from '../../../mi/frame-commands.js'
import type { GdbSession } from '../../../mi/gdb-session.js'
import { unlessRefused } from '../../../mi/unless-refused.js'
import { type MiObject, varCreate, varListChildren, varPathExpression } from '../../../mi/variable-objects.js'
import type { CodeVariable } from '../../code.js'

/** Without a type gdb's children are these parts of a class, not members. */
const CLASS_PART = /^(public|protected|private)$/
/** Elements and members that one question makes gdb look at. */
const MOST_AT_ONCE = 10_000

/** Arguments and locals, those of the innermost block first; of a hidden one only what gdb says at once. */
export async function frameVariables(
  gdb: GdbSession,
  place: MiFramePlace,
): Promise<{ args: CodeVariable[]; locals: CodeVariable[] }> {
  const args: CodeVariable[] = []
  const locals: CodeVariable[] = []
  const seen = new Set<string>()
  for (const { name, isArgument, type, value } of await stackListVariables(gdb, place)) {
    const hidden = seen.has(name)
    seen.add(name)
    const known = hidden ? null : await unlessRefused(evaluated(gdb, place, name, name))
    ;(isArgument ? args : locals).push(known ?? plain(hidden ? `${name} (outer)` : name, type, value))
  }
  return { args, locals }
}

/** The value of an expression. Throws MiError `refused` with gdb's reason. */
export async function evaluated(
  gdb: GdbSession,
  place: MiFramePlace,
  name: string,
  expression: string,
): Promise<CodeVariable> {
  const object = await unlessRefused(varCreate(gdb, place, expression))
  if (object && (object.value !== '' || object.children > 0))
    return toVariable(gdb, place, object, name, expression)
  // Variable objects do not say why there is no value.
  return plain(name, null, await evaluateInFrame(gdb, place, expression))
}

async function toVariable(
  gdb: GdbSession,
  place: MiFramePlace,
  object: MiObject,
  name: string,
  expression: string,
): Promise<CodeVariable> {
  const { type, value } = object
  // Of what the compiler has dropped there is nothing inside, although its type has members.
  const children = /^<(optimized out|error|unavailable|not available)/.test(value) ? 0 : object.children
  const isArray = /\]$/.test(type ?? '')
  const pointsTo = pointerOf(value)
  const inside = pointsTo === null && children > 0 && expression !== ''
  return {
    name,
    value,
    type,
    address: inside ? await addressOf(gdb, place, expression) : pointsTo,
    expression: expression === '' ? null : expression,
    children,
    isArray,
    open:
      children === 0
        ? null
        : isArray && expression !== ''
          ? (from, count) => elements(gdb, place, expression, from, Math.min(children - from, count))
          : async (from, count) => (await members(gdb, place, object.name)).slice(from, from + count),
  }
}

// gdb makes all children of an array at once, so each element is an expression of its own.
async function elements(
  gdb: GdbSession,
  place: MiFramePlace,
  array: string,
  from: number,
  count: number,
): Promise<CodeVariable[]> {
  const found: CodeVariable[] = []
  for (let index = from; index < from + Math.min(count, MOST_AT_ONCE); index++) {
    const expression = `(${array})[${index}]`
    const one = await unlessRefused(evaluated(gdb, place, `[${index}]`, expression))
    found.push(one ?? plain(`[${index}]`, null, null))
  }
  return found
}

async function members(gdb: GdbSession, place: MiFramePlace, name: string): Promise<CodeVariable[]> {
  const found: CodeVariable[] = []
  for (const child of await varListChildren(gdb, name)) {
    if (child.type === null && CLASS_PART.test(child.expression)) {
      found.push(...(await members(gdb, place, child.name)))
      continue
    }
    const path = (await unlessRefused(varPathExpression(gdb, child.name))) ?? ''
    found.push(await toVariable(gdb, place, child, child.expression, path))
  }
  return found
}

async function addressOf(gdb: GdbSession, place: MiFramePlace, expression: string): Promise<Address | null> {
  const text = await unlessRefused(evaluateInFrame(gdb, place, `&(${expression})`))
  return text === null ? null : pointerOf(text)
}

/** The address that a value as gdb prints it begins with: `(T *) 0x…`, `@0x…: …`, `0x… "text"`. */
export function pointerOf(value: string): Address | null {
  const match = /^(?:\([^)]*\)+ |\{[^}]*\} |@)?(0x[0-9a-f]{1,16})\b/.exec(value)
  return match ? address(BigInt(match[1]!)) : null
}

function plain(name: string, type: string | null, value: string | null): CodeVariable {
  const text = value ?? '<not available>'
  return {
    name,
    value: text,
    type,
    address: pointerOf(text),
    expression: null,
    children: 0,
    isArray: false,
    open: null,
  }
}
