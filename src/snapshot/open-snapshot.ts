// Opens a snapshot: what is small is read at once, chunks and memory when they are asked for.
import type { Piece } from '../maps/categorize.js'
import { loadReport, ReportError } from '../report/load-report.js'
import type { Report } from '../report/report.js'
import type { Frame } from '../target/target.js'
import { TargetError } from '../target/target.js'
import { DamagedRecord, damagedSnapshot } from './damaged-snapshot.js'
import {
  arenaOf,
  linesOf,
  piecesOf,
  type SnapshotArena,
  stackOf,
  type Variable,
  variableOf,
} from './lines.js'
import { KIND, SNAPSHOT_SCHEMA, type SnapshotHeader } from './snapshot.js'
import { SnapshotChunks } from './snapshot-chunks.js'
import { SnapshotFile } from './snapshot-file.js'
import { NO_MEMORY, SnapshotMemory } from './snapshot-memory.js'
import { SnapshotSession } from './snapshot-session.js'

/** All that is read at once may unpack to so much; more is no snapshot of ours. */
const MOST_AT_ONCE = 256 << 20

/** Throws TargetError. A file that is cut or damaged behind its report is opened as far as it goes, and the report says so. */
export function openSnapshot(path: string): SnapshotSession {
  const file = SnapshotFile.open(path)
  try {
    return sessionOf(file)
  } catch (error) {
    file.close()
    if (error instanceof DamagedRecord) throw damagedSnapshot(path, error.message)
    throw error
  }
}

function sessionOf(file: SnapshotFile): SnapshotSession {
  const problems: string[] = []
  const say = (what: string) =>
    problems.push(`the snapshot is damaged: ${what}; copy it again from where it was written`)
  if (file.problem !== null) say(file.problem)
  const header = headerOf(file)
  const atOnce = file.records
    .filter(({ kind }) => kind !== KIND.chunks && kind !== KIND.memory)
    .reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0)
  if (atOnce > MOST_AT_ONCE) throw new DamagedRecord('it would unpack to more than any that we write')
  const report = reportOf(file)
  // What is damaged behind the report is missing, and said.
  const attempt = <T>(work: () => T, otherwise: T): T => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error
      say(error.message)
      return otherwise
    }
  }
  const pieces = attempt(() => allPieces(file), [])
  const { arenas, variables } = attempt(() => mallocOf(file), { arenas: [], variables: [] })
  const stacks = attempt(() => stacksOf(file), new Map<number, readonly Frame[]>())
  const chunks = header.chunks ? attempt(() => new SnapshotChunks(file, arenas), null) : null
  const regions = [...new Set(pieces.map(({ region }) => region))]
  const { path } = file
  return new SnapshotSession({
    report: problems.length === 0 ? report : marked(report, problems),
    wordBytes: header.wordBytes,
    pageBytes: header.pageBytes,
    pieces,
    arenas,
    variables,
    stacks,
    chunks,
    noChunks: {
      what: header.chunks
        ? `the chunks of the snapshot ${path} are damaged`
        : `the snapshot ${path} holds no chunks (made with --no-chunks)`,
      hint: 'make it again from the target, without --no-chunks',
    },
    memory: attempt(() => new SnapshotMemory(file, regions, header.memory), null),
    noMemory: 'the memory of the snapshot is damaged',
    whyNoSearch: header.memory ? null : NO_MEMORY,
    close: () => file.close(),
  })
}

function marked(report: Report, problems: readonly string[]): Report {
  return { ...report, complete: false, problems: [...report.problems, ...problems] }
}

function headerOf(file: SnapshotFile): SnapshotHeader {
  const [first] = file.records
  if (first?.kind !== KIND.header) throw new DamagedRecord('it does not begin with its header')
  const [line] = linesOf(file.content(first))
  const { schema, tool, madeAt, wordBytes, pageBytes, chunks, memory } = line ?? {}
  const version = typeof schema === 'string' ? /^arena-inspect-snapshot\/(\d{1,6})$/.exec(schema)?.[1] : null
  if (!version) throw new DamagedRecord('its header names no version')
  if (Number(version) > 1)
    throw new TargetError(
      `${file.path}: a newer arena-inspect made it: its format is ${schema}, this one reads up to ${SNAPSHOT_SCHEMA}`,
      'open it with a newer arena-inspect',
    )
  if ((wordBytes !== 8 && wordBytes !== 4) || !isPageSize(pageBytes))
    throw new DamagedRecord('its header is not whole')
  return {
    schema: SNAPSHOT_SCHEMA,
    tool: String(tool),
    madeAt: String(madeAt),
    wordBytes,
    pageBytes,
    chunks: chunks === true,
    memory: memory === true,
  }
}

function isPageSize(value: unknown): value is number {
  return typeof value === 'number' && value >= 4096 && value <= 1 << 20 && (value & (value - 1)) === 0
}

function reportOf(file: SnapshotFile): Report {
  const [place] = file.ofKind(KIND.report)
  if (!place) throw new DamagedRecord(file.problem ?? 'it holds no report')
  try {
    return loadReport(JSON.parse(file.content(place).toString('utf8')))
  } catch (error) {
    if (error instanceof SyntaxError) throw new DamagedRecord('its report is no JSON')
    if (error instanceof ReportError)
      throw new TargetError(`the report in the snapshot ${file.path} is none: ${error.message}`, error.hint)
    throw error
  }
}

function allPieces(file: SnapshotFile): readonly Piece[] {
  const pieces: Piece[] = []
  let end = 0n
  for (const line of linesOfAll(file, KIND.regions)) {
    for (const piece of piecesOf(line, end)) pieces.push(piece)
    end = pieces.at(-1)?.end ?? end
  }
  return pieces
}

function mallocOf(file: SnapshotFile): { arenas: readonly SnapshotArena[]; variables: readonly Variable[] } {
  const arenas: SnapshotArena[] = []
  const variables: Variable[] = []
  for (const line of linesOfAll(file, KIND.malloc)) {
    if ('variable' in line) variables.push(variableOf(line))
    else if ('arena' in line) arenas.push(arenaOf(line))
  }
  return { arenas, variables }
}

function stacksOf(file: SnapshotFile): ReadonlyMap<number, readonly Frame[]> {
  const stacks = new Map<number, readonly Frame[]>()
  for (const line of linesOfAll(file, KIND.threads)) stacks.set(...stackOf(line))
  return stacks
}

function* linesOfAll(file: SnapshotFile, kind: number): ReturnType<typeof linesOf> {
  for (const place of file.ofKind(kind)) yield* linesOf(file.content(place))
}
