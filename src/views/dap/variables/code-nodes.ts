// The scopes Arguments, Locals and Registers: what gdb knows of a frame.
import { address } from '../../../memory/address.js'
import type { Code, CodeVariable, FramePlace } from '../../../session/debuggee.js'
import type { Session } from '../../../session/session.js'
import type { VariableNode, VariableRow } from './variable-node.js'

export function variablesNode(code: Code, place: FramePlace, kind: 'args' | 'locals'): VariableNode {
  return { named: async () => (await code.variables(place))[kind].map(codeRow) }
}

export function codeRow(variable: CodeVariable): VariableRow {
  const { name, value, type, address: at, expression, children, isArray, open } = variable
  const node: VariableNode | null = !open
    ? null
    : isArray
      ? { indexed: children, page: async (from, count) => (await open(from, count)).map(codeRow) }
      : { named: async () => (await open(0, children)).map(codeRow) }
  return {
    name,
    // gdb shows the value of a structure as `{...}` and of an array as `[N]`.
    value,
    type,
    address: at,
    evaluateName: expression,
    node,
  }
}

/** General registers, and all others one level below. */
export function registersNode(code: Code, place: FramePlace, session: Session): VariableNode {
  const rows = async (general: boolean): Promise<VariableRow[]> =>
    (await code.registers(place, general)).map(({ name, value, text }) => {
      const at = value === null || value >= 1n << 64n ? null : address(value)
      const leads = general && at !== null && session.nextMapped(at, 1) === at
      return { name, value: text, evaluateName: `$${name}`, address: leads ? at : null }
    })
  return {
    named: async () => [
      ...(await rows(true)),
      { name: 'others', value: 'vectors, floating point, …', node: { named: () => rows(false) } },
    ],
  }
}
