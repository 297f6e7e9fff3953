// A saved report read back: its schema, its version, every field. What comes out is safe to render.
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { type Report, SCHEMA } from './report.js'
import schema from './report-schema.json' with { type: 'json' }

/** Why a document is no report that can be shown; `hint` is the next step. */
export class ReportError extends Error {
  override readonly name = 'ReportError'
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

const NAME = /^arena-inspect(-[a-z]+)?\/(\d{1,6})$/
const ROUNDS = 4

let validate: ValidateFunction<Report> | null = null

/**
 * The Report that `document`, parsed JSON, holds. Fields that later versions of version 1 brought, and that this document
 * is too old to have, are null: unknown. Fields that are not known here stay. Throws ReportError.
 */
export function loadReport(document: unknown): Report {
  checkSchema(document)
  validate ??= new Ajv({ allErrors: true, allowUnionTypes: true, logger: false }).compile<Report>(schema)
  for (let round = 0; round < ROUNDS; round++) {
    if (validate(document)) return document
    if (!fillIn(document as object, validate.errors ?? [])) break
  }
  const [first] = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'anyOf')
  throw new ReportError(
    `it does not keep to ${SCHEMA}: ${first?.instancePath || 'it'} ${first?.message ?? 'is wrong'}`,
    'write it anew with arena-inspect report --json',
  )
}

function checkSchema(document: unknown): void {
  const named = typeof document === 'object' && document !== null && 'schema' in document && document.schema
  const [, kind, version] = (typeof named === 'string' && NAME.exec(named)) || []
  if (version === undefined)
    throw new ReportError(
      'it is JSON, but no report of arena-inspect',
      'write one with arena-inspect report --json',
    )
  if (kind !== undefined)
    throw new ReportError(
      `it is JSON of arena-inspect, but no report: ${named}`,
      'give a report (arena-inspect report --json) or a snapshot',
    )
  if (Number(version) > 1)
    throw new ReportError(
      `a newer arena-inspect made it: its format is ${named}, this one reads up to ${SCHEMA}`,
      'open it with a newer arena-inspect',
    )
}

// Absent fields become null, which their type allows where they were added later. False when nothing was absent.
function fillIn(document: object, errors: readonly ErrorObject[]): boolean {
  let filled = false
  for (const { keyword, instancePath, params } of errors) {
    if (keyword !== 'required') continue
    const owner = valueAt(document, instancePath)
    if (typeof owner !== 'object' || owner === null) continue
    Object.defineProperty(owner, String(params.missingProperty), {
      value: null,
      enumerable: true,
      writable: true,
      configurable: true,
    })
    filled = true
  }
  return filled
}

function valueAt(document: object, pointer: string): unknown {
  let value: unknown = document
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    value = (value as Record<string, unknown> | null | undefined)?.[key]
  }
  return value
}
