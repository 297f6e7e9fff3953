// A worker process of a batch: takes cores one after the other from its parent, and ends with it.
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { type ReportOptions, written } from '../commands/report.js'
import { explain, UsageError } from '../exit.js'
import { openSaved, type TargetOptions } from '../target-arguments.js'
import { writeWhole } from './journal.js'
import { answerOf, type BatchAnswer, failure } from './row.js'

/** What the parent asks for. */
export interface WorkerTask {
  readonly path: string
  readonly options: TargetOptions
  readonly formats: readonly BatchFormat[]
  /** Where reports go; null: nowhere. */
  readonly folder: string | null
}

export const BATCH_FORMATS = [
  'json',
  'markdown',
  'text',
  'html',
] as const satisfies readonly ReportOptions['format'][]
export type BatchFormat = (typeof BATCH_FORMATS)[number]
const ENDINGS: Readonly<Record<BatchFormat, string>> = {
  json: 'json',
  markdown: 'md',
  text: 'txt',
  html: 'html',
}
const MOST_NAME = 100

/** Works until the parent is gone. Throws UsageError when there is none. */
export function runWorker(): Promise<never> {
  if (!process.send) throw new UsageError('batch-worker is started by batch', 'arena-inspect batch DIR')
  // Ctrl-C is the parent's affair.
  process.removeAllListeners('SIGINT').on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
  process.on('message', (task: WorkerTask) => {
    void work(task).then((answer) => process.send!(answer))
  })
  process.send('ready')
  return new Promise(() => {})
}

async function work({ path, options, formats, folder }: WorkerTask): Promise<BatchAnswer> {
  try {
    const session = await openSaved(
      { kind: 'core', path, ...(options.sysroot === undefined ? {} : { sysroot: options.sysroot }) },
      options,
    )
    try {
      const { report } = session
      const reports: Record<string, string> = {}
      for (const format of folder === null ? [] : formats) {
        const name = reportName(path, format)
        writeWhole(folder!, name, written(session, { ...options, format, output: name }))
        reports[format] = name
      }
      return answerOf(report, reports)
    } finally {
      await session.close()
    }
  } catch (error) {
    const known = explain(error)
    if (known && error instanceof Error && 'hint' in error) return failure(error.message, String(error.hint))
    const message = error instanceof Error ? error.message : String(error)
    return failure(
      `a defect of arena-inspect: ${message}`,
      `report it, with arena-inspect report ${path} --debug`,
    )
  }
}

/** Of the core's name, made safe, and its whole path, so that two of one name have two reports. */
function reportName(path: string, format: BatchFormat): string {
  const name = basename(path)
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^\./, '_')
    .slice(0, MOST_NAME)
  return `${name}-${createHash('sha256').update(path).digest('hex').slice(0, 8)}.${ENDINGS[format]}`
}
