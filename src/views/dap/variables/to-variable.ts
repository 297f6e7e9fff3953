// A row of the variables view as the protocol has it.
import type { DebugProtocol } from '@vscode/debugprotocol'
import { printable } from '../../../format/printable.js'
import { hex } from '../../../memory/address.js'
import type { References } from '../references.js'
import type { VariableRow } from './variable-node.js'

/** A row; `key` is that of the node it is inside of. */
export function toVariable(
  references: References,
  key: string,
  row: VariableRow,
  index: number,
): DebugProtocol.Variable {
  const { name, value, type, address, evaluateName, node } = row
  return {
    name: printable(name),
    value: printable(value),
    variablesReference: node ? references.numberOf(`${key}/${index}:${name}`, node) : 0,
    ...(type ? { type: printable(type) } : {}),
    ...(address === undefined || address === null ? {} : { memoryReference: hex(address) }),
    ...(evaluateName ? { evaluateName } : {}),
    ...(node?.indexed === undefined ? {} : { indexedVariables: node.indexed }),
  }
}
