// The PT_LOADs of a core as columns: checked, sorted by address, disjoint, cut at the end of the file.
import { ELF } from '../elf/elf-header.js'
import type { ProgramHeader } from '../elf/program-headers.js'
import { RunTable } from './run-table.js'

/** One row a PT_LOAD, sorted by address; `ranges.positions` are file offsets. */
export interface Segments {
  readonly ranges: RunTable
  /** Bytes that the core holds by its headers, from the start of the segment. */
  readonly promised: Float64Array
  /** Bytes that the file really holds; fewer than promised where it was truncated. */
  readonly saved: Float64Array
  /** p_flags. */
  readonly flags: Uint8Array
  /** Whether any PT_LOAD was seen, usable or not. */
  readonly seen: number
}

/** A range of the file that holds notes. */
export interface NoteRange {
  readonly position: number
  readonly bytes: number
  readonly alignBytes: number
}

/** What the program headers of a core say; `problems` has a sentence for each kind of damage. */
export interface SegmentReading {
  readonly segments: Segments
  readonly noteRanges: readonly NoteRange[]
  readonly problems: readonly string[]
}

const MAX_NOTE_RANGES = 64

interface Row {
  readonly start: Float64Array
  readonly end: Float64Array
  readonly position: Float64Array
  readonly promised: Float64Array
  readonly flags: Uint8Array
}

/** Reads at most `count` program headers of a core whose file is `fileSize` bytes long. */
export function readSegments(
  headers: Iterable<ProgramHeader>,
  count: number,
  fileSize: number,
): SegmentReading {
  const draft = rows(count)
  const noteRanges: NoteRange[] = []
  let used = 0
  let seen = 0
  let impossible = 0
  for (const p of headers) {
    if (p.type === ELF.PT_NOTE && noteRanges.length < MAX_NOTE_RANGES) {
      noteRanges.push({ position: p.fileOffset, bytes: p.fileBytes, alignBytes: p.alignBytes })
    }
    if (p.type !== ELF.PT_LOAD) continue
    seen++
    if (p.memoryBytes === 0) continue
    const start = p.virtualAddress
    const end = start + p.memoryBytes
    if (!isRange(start, end)) {
      impossible++
      continue
    }
    const readable = Number.isSafeInteger(p.fileOffset + p.fileBytes)
    if (!readable) impossible++
    draft.start[used] = start
    draft.end[used] = end
    draft.position[used] = readable ? p.fileOffset : 0
    draft.promised[used] = readable ? Math.min(p.fileBytes, p.memoryBytes) : 0
    draft.flags[used] = p.flags & 7
    used++
  }
  const problems: string[] = []
  if (impossible > 0) problems.push(`${impossible} segments of the core have impossible addresses or sizes`)
  const sorted = disjoint(draft, used, problems)
  const segments = { ...sorted, saved: cutAt(fileSize, sorted, problems), seen }
  return { segments, noteRanges, problems }
}

/** The saved bytes of `segments`, neighbours joined where they follow each other in memory and in the file. */
export function savedRuns(segments: Segments): RunTable {
  const { ranges, saved } = segments
  const draft = rows(ranges.count)
  let used = 0
  for (let i = 0; i < ranges.count; i++) {
    if (saved[i] === 0) continue
    const start = ranges.starts[i]!
    const position = ranges.positions[i]!
    const before = used - 1
    const joins =
      used > 0 &&
      draft.end[before] === start &&
      draft.position[before]! + (draft.end[before]! - draft.start[before]!) === position
    const row = joins ? before : used++
    if (!joins) {
      draft.start[row] = start
      draft.position[row] = position
    }
    draft.end[row] = start + saved[i]!
  }
  return new RunTable(draft.start.slice(0, used), draft.end.slice(0, used), draft.position.slice(0, used))
}

function rows(count: number): Row {
  const column = () => new Float64Array(count)
  return {
    start: column(),
    end: column(),
    position: column(),
    promised: column(),
    flags: new Uint8Array(count),
  }
}

/** Whether [start, end) are keys that do not wrap; a segment may end at 2^64, which is key 0. */
function isRange(start: number, end: number): boolean {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return false
  return start >= 0 || end <= 0
}

/** Sorts the first `used` rows; of two that overlap the lower one keeps the bytes, the other what is left of it. */
function disjoint(draft: Row, used: number, problems: string[]): Omit<Segments, 'saved' | 'seen'> {
  const order = new Uint32Array(used).map((_, i) => i)
  order.sort((a, b) => draft.start[a]! - draft.start[b]! || a - b)
  const out = rows(used)
  let kept = 0
  let overlaps = 0
  let reached = Number.NEGATIVE_INFINITY
  for (const i of order) {
    const cut = Math.max(0, reached - draft.start[i]!)
    if (cut > 0) overlaps++
    if (draft.start[i]! + cut >= draft.end[i]!) continue
    out.start[kept] = draft.start[i]! + cut
    out.end[kept] = draft.end[i]!
    out.position[kept] = draft.position[i]! + cut
    out.promised[kept] = Math.max(0, draft.promised[i]! - cut)
    out.flags[kept] = draft.flags[i]!
    reached = draft.end[i]!
    kept++
  }
  if (overlaps > 0)
    problems.push(`${overlaps} segments of the core overlap a lower one, which is the one read`)
  const ranges = new RunTable(
    out.start.subarray(0, kept),
    out.end.subarray(0, kept),
    out.position.subarray(0, kept),
  )
  return { ranges, promised: out.promised.subarray(0, kept), flags: out.flags.subarray(0, kept) }
}

/** The bytes of each segment that lie inside the file. */
function cutAt(fileSize: number, table: Omit<Segments, 'saved' | 'seen'>, problems: string[]): Float64Array {
  const saved = new Float64Array(table.ranges.count)
  let expected = fileSize
  let missing = 0
  let cut = 0
  for (let i = 0; i < saved.length; i++) {
    const position = table.ranges.positions[i]!
    const promised = table.promised[i]!
    saved[i] = Math.max(0, Math.min(promised, fileSize - position))
    if (saved[i] === promised) continue
    expected = Math.max(expected, position + promised)
    missing += promised - saved[i]!
    cut++
  }
  if (cut > 0) {
    problems.push(
      `the file is truncated: it ends at ${fileSize} of ${expected} bytes; ` +
        `${missing} bytes of memory in ${cut} segments are missing; before the next core: room on the disk, ` +
        '`ulimit -c unlimited`, and ExternalSizeMax= where systemd-coredump takes it',
    )
  }
  return saved
}
