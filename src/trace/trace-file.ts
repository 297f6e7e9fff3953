// A trace as a file: written whole or not at all, and checked when it is read, since it can come from anyone.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { TargetError } from '../target/target.js'
import { TRACE_SCHEMA, type Trace } from './trace.js'

/** Writes `text` beside `path`, then renames: whoever reads sees the old or the new. Throws the errno error. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.part`
  try {
    writeFileSync(draft, text)
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** The trace in a file. Throws TargetError when there is none. */
export function readTrace(path: string): Trace {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new TargetError(
      `cannot read ${path} (${String(error.code)})`,
      'give a file that `trace -o` has written',
    )
  }
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw notOne(path, 'it is no JSON')
  }
  const why = defectOf(data)
  if (why !== null) throw notOne(path, why)
  return data as Trace
}

function notOne(path: string, why: string): TargetError {
  return new TargetError(
    `${path} is not a trace: ${why}`,
    'give a file that `arena-inspect trace -o` has written',
  )
}

const LISTS = ['modules', 'frames', 'stacks', 'threads', 'groups', 'events', 'gaps'] as const
const NUMBERS = [
  ...['minimumBytes', 'startedAtMs', 'endedAtMs', 'lostEvents', 'gapsNotKept', 'callsWithoutGroup'],
  'eventsNotKept',
] as const
const SUMS = [
  ...['calls', 'bytes', 'stillMappedCalls', 'stillMappedBytes', 'untrackedCalls', 'untrackedBytes'],
] as const

type Fields = Readonly<Record<string, unknown>>

/** What is wrong with it; null: nothing that would lead a view astray. */
function defectOf(data: unknown): string | null {
  if (!isObject(data)) return 'it is no object'
  if (data.schema !== TRACE_SCHEMA) {
    const shown = typeof data.schema === 'string' ? data.schema.slice(0, 60) : 'nothing'
    return `its schema is ${JSON.stringify(shown)}, not ${TRACE_SCHEMA}`
  }
  for (const name of LISTS) if (!isListOfObjects(data[name])) return `${name} is no list`
  for (const name of NUMBERS) if (typeof data[name] !== 'number') return `${name} is no number`
  for (const name of ['target', 'mapped', 'births', 'tool'] as const) {
    if (!isObject(data[name])) return `${name} is missing`
  }
  for (const name of ['recorder', 'recorderWhy', 'ending'] as const) {
    if (typeof data[name] !== 'string') return `${name} is no text`
  }
  const mapped = data.mapped as Fields
  if (!SUMS.every((name) => typeof mapped[name] === 'number')) return 'mapped is incomplete'
  return defectOfLists(data as Record<(typeof LISTS)[number], readonly Fields[]>)
}

function defectOfLists(data: Record<(typeof LISTS)[number], readonly Fields[]>): string | null {
  const { modules, frames, stacks, groups, events, gaps } = data
  if (!modules.every((one) => typeof one.path === 'string' && isTextOrNull(one.buildId)))
    return 'a module is odd'
  if (!frames.every((one) => isFrame(one, modules.length))) return 'a frame is odd'
  if (!stacks.every((one) => isListOf(one.frames, (frame) => isIndex(frame, frames.length))))
    return 'a stack is odd'
  if (!groups.every((one) => isGroup(one, stacks.length))) return 'a group is odd'
  if (!events.every((one) => isIndex(one.group, groups.length) && typeof one.atMs === 'number'))
    return 'an event is odd'
  if (
    !gaps.every(
      (one) => typeof one.atMs === 'number' && typeof one.untilMs === 'number' && typeof one.why === 'string',
    )
  )
    return 'a gap is odd'
  return null
}

function isFrame(frame: Fields, modules: number): boolean {
  return (
    (frame.module === null || isIndex(frame.module, modules)) &&
    typeof frame.address === 'string' &&
    /^0x[0-9a-f]{1,16}$/.test(frame.address) &&
    isTextOrNull(frame.function) &&
    isTextOrNull(frame.source) &&
    isListOf(frame.inlined, (name) => typeof name === 'string')
  )
}

function isGroup(group: Fields, stacks: number): boolean {
  return (
    (group.kind === 'map' || group.kind === 'birth') &&
    (group.stack === null || isIndex(group.stack, stacks)) &&
    [...SUMS, 'arenas', 'heaps', 'firstAtMs', 'lastAtMs'].every((name) => typeof group[name] === 'number') &&
    isListOf(group.threads, (one) => isObject(one) && isTextOrNull(one.name) && typeof one.calls === 'number')
  )
}

function isObject(data: unknown): data is Fields {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}

function isListOf(data: unknown, check: (one: unknown) => boolean): boolean {
  return Array.isArray(data) && data.every(check)
}

function isListOfObjects(data: unknown): boolean {
  return isListOf(data, isObject)
}

function isIndex(data: unknown, length: number): boolean {
  return typeof data === 'number' && Number.isInteger(data) && data >= 0 && data < length
}

function isTextOrNull(data: unknown): boolean {
  return data === null || typeof data === 'string'
}
