// Messages against the published JSON schema of the debug adapter protocol (1.71, test/views/dap/published).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DebugProtocol as P } from '@vscode/debugprotocol'
import { Ajv, type ValidateFunction } from 'ajv'
import { ROOT } from './programs.js'

const { $schema: _, ...schema } = JSON.parse(
  readFileSync(join(ROOT, 'test/views/dap/published/debugAdapterProtocol.json'), 'utf8'),
) as { $schema: string; definitions: Record<string, unknown> }

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
ajv.addSchema(schema, 'dap')

const validators = new Map<string, ValidateFunction>()

/** What is wrong with the messages by the schema; empty when nothing is. Messages it does not know are wrong, too. */
export function schemaFaults(transcript: readonly P.ProtocolMessage[]): string[] {
  return transcript.flatMap((message) => {
    const name = definitionOf(message)
    if (!(name in schema.definitions)) return [`no message ${name} in the protocol`]
    const validate = validators.get(name) ?? ajv.compile({ $ref: `dap#/definitions/${name}` })
    validators.set(name, validate)
    return validate(message)
      ? []
      : [`${name}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(message).slice(0, 300)}`]
  })
}

function definitionOf(message: P.ProtocolMessage): string {
  if (message.type === 'event') return `${upper((message as P.Event).event)}Event`
  if (message.type === 'request') return `${upper((message as P.Request).command)}Request`
  const { success, command } = message as P.Response
  return success ? `${upper(command)}Response` : 'ErrorResponse'
}

function upper(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
}
