// OUTDIR/batch.ndjson: a line for each core that is finished, so that a batch that was ended goes on where it was.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { startTicks } from '../../watch/process-facts.js'
import { CommandError } from '../exit.js'
import { BATCH_SCHEMA, type BatchRow } from './row.js'

const JOURNAL = 'batch.ndjson'
const LOCK = 'batch.lock'
const DRAFT = /^\..*\.draft$/

/** What must be the same for an earlier run's row to stand. */
export interface RunKey {
  readonly version: string
  readonly rules: BatchRow['rules']
  readonly formats: readonly string[]
  readonly retryFailed: boolean
}

export class Journal {
  readonly #file: string
  #isLocked = false

  private constructor(readonly folder: string) {
    this.#file = join(folder, JOURNAL)
  }

  /** Makes the folder and takes it for this process. Throws CommandError where it cannot, or another batch has it. */
  static open(folder: string): Journal {
    const journal = new Journal(folder)
    try {
      mkdirSync(folder, { recursive: true })
      journal.#lock()
      for (const name of readdirSync(folder))
        if (DRAFT.test(name)) rmSync(join(folder, name), { force: true })
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error
      throw new CommandError(
        `cannot write to ${folder} (${String(error.code)})`,
        'choose another folder with -o',
      )
    }
    return journal
  }

  /** Rows of earlier runs that still stand, by path; the file then holds exactly those. A torn line is no row. */
  finished(key: RunKey): Map<string, BatchRow> {
    const rows = new Map<string, BatchRow>()
    const text = existsSync(this.#file) ? readFileSync(this.#file, 'utf8') : ''
    for (const line of text.split('\n')) {
      const row = rowOf(line)
      if (row && this.#stands(row, key)) rows.set(row.path, row)
    }
    writeWhole(this.folder, JOURNAL, [...rows.values()].map((row) => `${JSON.stringify(row)}\n`).join(''))
    return rows
  }

  add(row: BatchRow): void {
    appendFileSync(this.#file, `${JSON.stringify(row)}\n`)
  }

  close(): void {
    if (this.#isLocked) rmSync(join(this.folder, LOCK), { force: true })
    this.#isLocked = false
  }

  #stands(row: BatchRow, { version, rules, formats, retryFailed }: RunKey): boolean {
    if (row.version !== version || JSON.stringify(row.rules) !== JSON.stringify(rules)) return false
    if (row.status === 'failed' && retryFailed) return false
    const { fileBytes, modifiedMs } = fileFacts(row.path)
    if (row.fileBytes !== fileBytes || row.modifiedMs !== modifiedMs) return false
    return (
      row.status !== 'ok' ||
      formats.every((format) => {
        const name = row.reports[format]
        return name !== undefined && existsSync(join(this.folder, name))
      })
    )
  }

  // A process that is gone, or whose number another has now, holds nothing.
  #lock(): void {
    const file = join(this.folder, LOCK)
    const own = `${process.pid} ${startTicks(process.pid)} ${bootId()}`
    for (let tries = 0; ; tries++) {
      try {
        writeFileSync(file, own, { flag: 'wx' })
        this.#isLocked = true
        return
      } catch (error) {
        if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST' || tries > 2)
          throw error
      }
      const [pid = '', start, boot] = readFileSync(file, 'utf8').split(' ')
      if (boot === bootId() && startTicks(Number(pid)) === start) {
        throw new CommandError(
          `another batch (pid ${pid}) writes to ${this.folder}`,
          'wait for it, or choose another folder with -o',
        )
      }
      rmSync(file, { force: true })
    }
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function rowOf(line: string): BatchRow | null {
  try {
    const row = JSON.parse(line) as BatchRow
    return row.schema === BATCH_SCHEMA && typeof row.path === 'string' ? row : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Size and time of the file; null where it cannot be asked. */
export function fileFacts(path: string): Pick<BatchRow, 'fileBytes' | 'modifiedMs'> {
  try {
    const { size, mtimeMs } = statSync(path)
    return { fileBytes: size, modifiedMs: Math.round(mtimeMs) }
  } catch {
    return { fileBytes: null, modifiedMs: null }
  }
}

/** Writes `name` in `folder` so that it is there whole or not at all. */
export function writeWhole(folder: string, name: string, text: string): void {
  const draft = join(folder, `.${name}.draft`)
  writeFileSync(draft, text)
  renameSync(draft, join(folder, name))
}
