// Every document and line that `--json` writes: the JSON contract (docs/json.md), from which docs/schemas/ is made.

export type { Diff } from '../../diff/diff.js'
export type { Report } from '../../report/report.js'
export type { Trace } from '../../trace/trace.js'
export type { WatchSampleLine } from '../../views/json/watch-json.js'
export type { WatchSummary } from '../../watch/summary.js'
export type { BatchRow } from '../batch/row.js'
export type { FoundPlace } from '../commands/find.js'
export type { LimitDocument, StatsDocument, TrimDocument, VerifyDocument } from './control.js'
export type {
  ArenasDocument,
  BinsDocument,
  ChunkLine,
  HeapsDocument,
  MapsDocument,
  ThreadsDocument,
  XDocument,
} from './reading.js'
export type { WhatDocument } from './what.js'
