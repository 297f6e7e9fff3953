// scopes, variables.
import type { DebugProtocol } from '@vscode/debugprotocol'
import type { Conversation, RequestHandler } from '../conversation.js'
import { arenasNode } from '../variables/arena-nodes.js'
import { registersNode, variablesNode } from '../variables/code-nodes.js'
import { findingsNode, ledgerNode, regionsNode } from '../variables/report-nodes.js'
import { toVariable } from '../variables/to-variable.js'
import { rowsOf, type VariableNode } from '../variables/variable-node.js'

export const scopes: RequestHandler = async (conversation, args) => {
  const debuggee = await conversation.debuggee()
  const place = conversation.frames.placeOf(args.wantedWhole('frameId'))
  const { code, session } = debuggee
  const frame = `frame ${place.tid}:${place.level}`
  const ofFrame = code
    ? [
        scope(conversation, frame, 'Arguments', variablesNode(code, place, 'args'), 'arguments'),
        scope(conversation, frame, 'Locals', variablesNode(code, place, 'locals'), 'locals'),
        scope(conversation, frame, 'Registers', registersNode(code, place, session), 'registers'),
      ]
    : []
  const ours = [
    scope(conversation, 'target', 'Arenas', arenasNode(session, conversation.chunkTables)),
    scope(conversation, 'target', 'Ledger', ledgerNode(session)),
    scope(conversation, 'target', 'Findings', findingsNode(session)),
    scope(conversation, 'target', 'Regions', regionsNode(session)),
  ]
  return { scopes: [...ofFrame, ...ours] }
}

function scope(
  { references }: Conversation,
  owner: string,
  name: string,
  node: VariableNode,
  presentationHint?: string,
): DebugProtocol.Scope {
  return {
    name,
    variablesReference: references.numberOf(`${owner}/${name}`, node),
    // What is expensive is not opened by the editor itself.
    expensive: presentationHint === undefined || presentationHint === 'registers',
    ...(presentationHint === undefined ? {} : { presentationHint }),
    ...(node.indexed === undefined ? {} : { indexedVariables: node.indexed }),
  }
}

export const variables: RequestHandler = async (conversation, args, work) => {
  await conversation.debuggee()
  const { key, node } = conversation.references.nodeOf(args.wantedWhole('variablesReference'))
  const filter = args.text('filter')
  if (filter !== null && filter !== 'indexed' && filter !== 'named')
    throw args.bad('"filter" takes "indexed" or "named"')
  const start = args.whole('start') ?? 0
  const rows = await rowsOf(node, { filter, start, count: args.whole('count') || null }, work)
  // The number of a row is part of its key, so that pages do not share theirs.
  return { variables: rows.map((row, index) => toVariable(conversation.references, key, row, start + index)) }
}
