// The JSON Schema of the config file, from the rules themselves.
import { quantityText, type ThresholdUnit } from '../findings/thresholds.js'
import { SEVERITIES } from './config-file.js'
import { ALL_RULES, ALL_THRESHOLDS } from './rule-settings.js'

/** As strings, with a unit; as numbers they are bytes, percent, milliseconds or a count. */
const PATTERNS: Readonly<Record<ThresholdUnit, string>> = {
  bytes: '^\\d+(\\.\\d+)? ?([kmgtKMGT]?)([iI]?[bB])?$',
  milliseconds: '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$',
  percent: '^\\d+(\\.\\d+)? ?%?$',
  count: '^\\d+$',
}

export function configSchema(): Record<string, unknown> {
  const thresholds = [...ALL_THRESHOLDS].map(([key, { value, unit, meaning }]) => [
    key,
    {
      description: `${meaning} (default ${quantityText(value, unit)})`,
      default: value,
      anyOf: [
        { type: unit === 'percent' ? 'number' : 'integer', minimum: 0 },
        { type: 'string', pattern: PATTERNS[unit] },
      ],
    },
  ])
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: '.arena-inspect.json',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      failOn: {
        description: 'exit with 3 when a finding is at least this severe',
        enum: [...SEVERITIES, null],
      },
      thresholds: {
        description: 'by RULE.NAME',
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries(thresholds),
      },
      rulesOff: {
        description: 'rules that are not asked',
        type: 'array',
        uniqueItems: true,
        items: { enum: ALL_RULES.map(({ name }) => name) },
      },
    },
  }
}
