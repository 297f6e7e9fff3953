// One look at a target: malloc's state, the address space, and the report of both.
import { pinnedFragmentation } from '../findings/rules/pinned-fragmentation.js'
import type { RuleSettings } from '../findings/thresholds.js'
import { allocatorSentence, detectAllocator } from '../malloc/detect/other-allocator.js'
import { isGlibcUnused } from '../malloc/detect/unused-arena.js'
import type { HeapProgress, MallocState, ReadOptions } from '../malloc/read-heap-model.js'
import { readHeapModel } from '../malloc/read-heap-model.js'
import { readWhenSure } from '../malloc/read-when-sure.js'
import { categorize, type Piece } from '../maps/categorize.js'
import { buildReport, type Measured } from '../report/build-report.js'
import type { Report } from '../report/report.js'
import type { Symbols, Target } from '../target/target.js'
import { executableHeaps, largestAnonymous } from './anonymous.js'
import { claimsOf } from './claims.js'
import { ledgerOf } from './ledger.js'
import { liveTypes } from './live-types.js'

/** What was seen, for further questions, and the report that tells it. */
export interface Measurement {
  readonly malloc: MallocState | null
  readonly pieces: readonly Piece[]
  readonly report: Report
}

export interface MeasureOptions {
  /** How findings are judged, where it is not by the defaults. */
  readonly rules?: RuleSettings | undefined
  readonly progress?: HeapProgress
  /** gdb is asked about malloc only where memory alone leaves a doubt. */
  readonly onlyInDoubt?: boolean
}

/** Measures a target. `symbols` null: gdb is not asked. */
export async function measure(
  target: Target,
  symbols: Symbols | null,
  options: MeasureOptions = {},
): Promise<Measurement> {
  return conclude(target, symbols, await observe(target, symbols, options))
}

/** What was read of a target at one look. */
export interface Observation {
  readonly malloc: MallocState | null
  readonly pieces: readonly Piece[]
  readonly facts: Measured
  /** Another libc, or a glibc that was never asked: there are no arenas to miss. */
  readonly nothingToMiss: boolean
}

/** Reads all that a report is made of. */
export async function observe(
  target: Target,
  symbols: Symbols | null,
  { onlyInDoubt, rules, ...options }: MeasureOptions & ReadOptions = {},
): Promise<Observation> {
  const other = detectAllocator(target)
  // Another libc has no symbols of glibc's, and gdb would only say that they are missing.
  const glibcSymbols = other?.place === 'libc' ? null : symbols
  const sure = glibcSymbols && onlyInDoubt ? await readWhenSure(target, options.progress) : null
  const malloc = sure ?? (await readHeapModel(target, glibcSymbols, options))
  // What malloc's walk saw took its time: the address space and what is in RAM are of one moment after it.
  if (target.kind === 'live' && (!options.still || options.onRead)) target.refresh()
  const claims = malloc ? claimsOf(malloc.model) : []
  const { pieces, sums } = categorize({
    regions: target.regions(),
    threads: target.threads(),
    claims,
    residentBytes: (start, end) => target.residentBytes(start, end),
    programPath: target.executable,
  })
  const heap = malloc?.model ?? null
  const problems = [...target.problems, ...(target.notes ?? [])]
  problems.push(...(glibcSymbols?.warnings ?? []).filter((warning) => !isSaid(warning, target)))
  problems.push(...(malloc?.model.notes ?? []))
  const unused = other !== null && !malloc && other.place !== 'libc' && isGlibcUnused(target)
  if (other) problems.push(allocatorSentence(other, malloc?.model ?? (unused ? 'unused' : null)))
  else if (!malloc) problems.push(NO_GLIBC)
  const facts: Measured = {
    kind: target.kind,
    label: target.label,
    pid: target.pid,
    executable: target.executable,
    threads: target.threads().length,
    heap,
    otherAllocator: other,
    categories: sums,
    ledger: ledgerOf(target, pieces, heap),
    surroundings: target.surroundings(),
    mappings: target.regions().length,
    executableHeaps: executableHeaps(pieces),
    anonymous: largestAnonymous(pieces),
    problems,
    targetComplete: target.problems.length === 0,
    ...(rules ? { rules } : {}),
  }
  const nothingToMiss = !malloc && (other?.place === 'libc' || unused) && target.problems.length === 0
  return { malloc, pieces, facts, nothingToMiss }
}

/** The report of what was read; a sample of live chunks is read for it where findings show their types. */
export async function conclude(
  target: Target,
  symbols: Symbols | null,
  { malloc, pieces, facts, nothingToMiss }: Observation,
): Promise<Measurement> {
  const first = buildReport(facts)
  const types = malloc && symbols && wantsTypes(first) ? await liveTypes(target, symbols, malloc) : null
  const report = types ? buildReport({ ...facts, liveTypes: types }) : first
  return { malloc, pieces, report: nothingToMiss ? { ...report, complete: true } : report }
}

// A second walk, and gdb: only where the answer is shown.
function wantsTypes({ findings }: Report): boolean {
  return findings.some(({ rule }) => rule === pinnedFragmentation.name)
}

// The target's notes name another build of a file, with what helps, before gdb goes without its symbols.
function isSaid(warning: string, { notes = [] }: Target): boolean {
  const reason = /build-id differs: .*/.exec(warning)?.[0]
  return reason !== undefined && notes.some((note) => note.includes(reason))
}

/** Said when no main_arena was found. */
export const NO_GLIBC =
  "no glibc malloc was found here (another libc or allocator, a program that never allocated, or libc's data is not in the core): the arenas are unknown, the maps are not"
