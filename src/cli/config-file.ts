// The config file: failOn, thresholds and rulesOff, as data. It can run nothing and name no other file.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import type { Severity } from '../findings/finding.js'
import { CommandError, UsageError } from './exit.js'
import { ruleNamed, thresholdOf } from './rule-settings.js'
import { didYouMean } from './suggest.js'

/** Looked for in the working directory, and nowhere else. */
export const CONFIG_NAME = '.arena-inspect.json'
export const SEVERITIES = ['info', 'warning', 'critical'] as const satisfies readonly Severity[]
const KEYS = ['$schema', 'failOn', 'thresholds', 'rulesOff']
const MOST_BYTES = 1 << 20

export interface Config {
  /** For messages. */
  readonly file: string
  readonly failOn: Severity | null
  readonly thresholds: readonly { readonly rule: string; readonly name: string; readonly value: number }[]
  readonly rulesOff: readonly string[]
}

/** The file at `path`. Throws UsageError for what it should not say, CommandError where it cannot be read. */
export function readConfig(path: string): Config {
  let text: string
  try {
    text = readSmall(path)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new CommandError(`cannot read ${path} (${String(error.code)})`, 'name another file with --config')
  }
  return parseConfig(text, path)
}

/** The working directory's own file; null without one. `passOver` is told of one that belongs to somebody else. */
export function readLocalConfig(passOver: (why: string) => void): Config | null {
  const found = lstatSync(CONFIG_NAME, { throwIfNoEntry: false })
  if (!found) return null
  if (found.uid !== 0 && found.uid !== process.getuid?.()) {
    passOver(
      `${CONFIG_NAME} here belongs to user ${found.uid}: passed over; --config ${CONFIG_NAME} takes it`,
    )
    return null
  }
  return readConfig(CONFIG_NAME)
}

// A pipe in its place is not waited for.
function readSmall(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new UsageError(`${path} is no file`, 'a config file is a JSON object')
    if (stat.size > MOST_BYTES) throw new UsageError(`${path} is too large`, 'a config file has some lines')
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

export function parseConfig(text: string, file: string): Config {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new UsageError(`${file} is no JSON (${error.message})`, 'see docs/configuration.md')
  }
  const known = objectOf(value, file)
  for (const key of Object.keys(known)) {
    if (!KEYS.includes(key)) {
      throw new UsageError(
        `${file} has an unknown key ${JSON.stringify(key)}`,
        `${didYouMean(key, KEYS)}it takes ${KEYS.join(', ')}`,
      )
    }
  }
  const { failOn = null, thresholds = {}, rulesOff = [] } = known
  if (failOn !== null && !SEVERITIES.includes(failOn as Severity)) {
    throw new UsageError(
      `${file}: failOn takes no ${JSON.stringify(failOn)}`,
      `it takes ${SEVERITIES.join(', ')}`,
    )
  }
  if (!Array.isArray(rulesOff) || !rulesOff.every((one): one is string => typeof one === 'string')) {
    throw new UsageError(`${file}: rulesOff is no list of rules`, 'e.g. ["cpu-quota"]')
  }
  return {
    file,
    failOn: failOn as Severity | null,
    thresholds: Object.entries(objectOf(thresholds, `${file}: thresholds`)).map(([key, one]) => {
      if (typeof one === 'string' || typeof one === 'number') return thresholdOf(key, one, file)
      throw new UsageError(`${file}: ${key} is neither a number nor a text`, 'e.g. 8, "64M", "25%"')
    }),
    rulesOff: rulesOff.map((name) => ruleNamed(name, `${file}: rulesOff`).name),
  }
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new UsageError(
    `${what} is no JSON object`,
    'e.g. { "thresholds": { "arena-bloat.leastArenas": 16 } }',
  )
}
