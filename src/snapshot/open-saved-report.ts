// Opens a saved report (report --json, also packed with gzip) as a session that has no more than the report.
import { readFileSync, statSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { loadReport, ReportError } from '../report/load-report.js'
import type { Report } from '../report/report.js'
import { isNodeError } from '../target/elf/node-error.js'
import { TargetError } from '../target/target.js'
import { SnapshotSession } from './snapshot-session.js'

const MOST_BYTES = 256 << 20
const NONE = 'a saved report holds no'
const HINT = 'make a snapshot of the target instead: arena-inspect snapshot TARGET -o FILE'

/** Throws TargetError. */
export function openSavedReport(path: string, isPacked: boolean): SnapshotSession {
  const report = readReport(path, isPacked)
  return new SnapshotSession({
    report,
    wordBytes: 8,
    pageBytes: 4096,
    pieces: null,
    arenas: null,
    variables: [],
    stacks: new Map(),
    chunks: null,
    noChunks: { what: `${NONE} chunks`, hint: HINT },
    memory: null,
    noMemory: `${NONE} memory`,
    whyNoSearch: null,
    close: () => {},
  })
}

function readReport(path: string, isPacked: boolean): Report {
  try {
    const { size } = statSync(path)
    if (size > MOST_BYTES) throw tooLarge(path)
    const bytes = readFileSync(path)
    const text = isPacked ? gunzipSync(bytes, { maxOutputLength: MOST_BYTES }) : bytes
    return loadReport(JSON.parse(text.toString('utf8').replace(/^\ufeff/, '')))
  } catch (error) {
    if (error instanceof ReportError)
      throw new TargetError(`${path} cannot be shown: ${error.message}`, error.hint)
    if (error instanceof SyntaxError)
      throw new TargetError(
        `${path} is no JSON, or it is cut`,
        'write it anew with arena-inspect report --json',
      )
    if (!isNodeError(error)) throw error
    if (error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path)
    throw new TargetError(`${path} cannot be read (${error.code})`, 'copy it again from where it was written')
  }
}

function tooLarge(path: string): TargetError {
  return new TargetError(`${path} is larger than any report (${MOST_BYTES} bytes)`, 'give a report or a core')
}
