// One core of a batch as a line of NDJSON: what became of it, its key figures and findings.
import type { Finding, Severity } from '../../findings/finding.js'
import { reaches } from '../../findings/rules.js'
import type { RuleSettings } from '../../findings/thresholds.js'
import type { Report } from '../../report/report.js'

export const BATCH_SCHEMA = 'arena-inspect-batch/1'

/** Of the report, to be asked over many cores; bytes, null is what is unknown. */
export interface BatchFigures {
  readonly pid: number | null
  readonly executable: string | null
  readonly glibc: string | null
  readonly threads: number
  readonly arenas: number | null
  readonly systemBytes: number | null
  readonly inUseBytes: number | null
  readonly liveBytes: number | null
  readonly freeBytes: number | null
  readonly mmappedBytes: number | null
  /** What malloc_trim(0) would have returned. */
  readonly trimReturnsBytes: number | null
  readonly virtualBytes: number
  /** In RAM; of a core, what was saved. */
  readonly residentBytes: number | null
}

export interface BatchFinding {
  readonly rule: string
  readonly severity: Severity
  readonly title: string
}

export interface BatchError {
  readonly message: string
  /** The next step. */
  readonly hint: string
}

/** What a worker says of one core. */
export interface BatchAnswer {
  readonly status: 'ok' | 'failed'
  readonly error: BatchError | null
  /** False when the report is partial; null without one. */
  readonly complete: boolean | null
  /** The first of the report's problems. */
  readonly problem: string | null
  readonly figures: BatchFigures | null
  readonly severity: Severity | null
  readonly findings: readonly BatchFinding[]
  /** Files in OUTDIR, by format. */
  readonly reports: Readonly<Record<string, string>>
}

export interface BatchRow extends Omit<BatchAnswer, 'status'> {
  readonly schema: typeof BATCH_SCHEMA
  /** Absolute. */
  readonly path: string
  /** `skipped`: a file in the folder that is no core. */
  readonly status: 'ok' | 'failed' | 'skipped'
  /** Of the file; null where it could not be asked. */
  readonly fileBytes: number | null
  readonly modifiedMs: number | null
  /** ISO 8601, UTC. */
  readonly at: string
  readonly elapsedMs: number
  /** Of arena-inspect. */
  readonly version: string
  /** What the findings were judged by; null: the defaults. */
  readonly rules: RuleSettings | null
}

export const NO_REPORT = {
  complete: null,
  problem: null,
  figures: null,
  severity: null,
  findings: [],
  reports: {},
} as const

export function failure(message: string, hint: string): BatchAnswer {
  return { status: 'failed', error: { message, hint }, ...NO_REPORT }
}

export function answerOf(report: Report, reports: Readonly<Record<string, string>>): BatchAnswer {
  const { target, heap, maps, ledger, findings } = report
  const totals = heap?.totals
  return {
    status: 'ok',
    error: null,
    complete: report.complete,
    problem: report.problems[0] ?? null,
    figures: {
      pid: target.pid,
      executable: target.executable,
      glibc: target.glibc?.version ?? null,
      threads: target.threads,
      arenas: heap?.arenas.length ?? null,
      systemBytes: totals?.systemBytes ?? null,
      inUseBytes: totals?.inUseBytes ?? null,
      liveBytes: totals?.liveBytes ?? null,
      freeBytes: totals?.freeBytes ?? null,
      mmappedBytes: heap?.mmapped.bytes ?? null,
      trimReturnsBytes: totals?.trimReturnsBytes ?? null,
      virtualBytes: maps.categories.reduce((sum, { virtualBytes }) => sum + virtualBytes, 0),
      residentBytes: ledger?.totalBytes ?? null,
    },
    severity: worstOf(findings),
    findings: findings.map(({ rule, severity, title }) => ({ rule, severity, title })),
    reports,
  }
}

function worstOf(findings: readonly Finding[]): Severity | null {
  return findings.reduce<Severity | null>(
    (worst, { severity }) => (worst === null || reaches(severity, worst) ? severity : worst),
    null,
  )
}
