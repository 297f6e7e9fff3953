// One look at a target: malloc's state, the address space, and the report of both.
import type { HeapProgress, MallocState } from '../malloc/read-heap-model.js'
import { readHeapModel } from '../malloc/read-heap-model.js'
import { categorize, type Piece } from '../maps/categorize.js'
import { buildReport } from '../report/build-report.js'
import type { Report } from '../report/report.js'
import type { Symbols, Target } from '../target/target.js'
import { claimsOf } from './claims.js'

/** What was seen, for further questions, and the report that tells it. */
export interface Measurement {
  readonly malloc: MallocState | null
  readonly pieces: readonly Piece[]
  readonly report: Report
}

/** Measures a target. `symbols` null: gdb is not asked. */
export async function measure(
  target: Target,
  symbols: Symbols | null,
  progress?: HeapProgress,
): Promise<Measurement> {
  const malloc = await readHeapModel(target, symbols, progress)
  const claims = malloc ? claimsOf(malloc.model) : []
  const { pieces, sums } = categorize({
    regions: target.regions(),
    threads: target.threads(),
    claims,
    residentBytes: (start, end) => target.residentBytes(start, end),
    programPath: target.executable,
  })
  const problems = [...target.problems, ...(symbols?.warnings ?? [])]
  if (!malloc) problems.push(NO_GLIBC)
  const report = buildReport({
    kind: target.kind,
    label: target.label,
    pid: target.pid,
    executable: target.executable,
    threads: target.threads().length,
    heap: malloc?.model ?? null,
    categories: sums,
    problems,
    targetComplete: target.problems.length === 0,
  })
  return { malloc, pieces, report }
}

/** Said when no main_arena was found. */
export const NO_GLIBC =
  "no glibc malloc was found here (another libc or allocator, a program that never allocated, or libc's data is not in the core): the arenas are unknown, the maps are not"
