// Where a core file holds data and where it has holes: the kernel leaves a hole for each page that was not there.
import { spawnSync } from 'node:child_process'
import { fstatSync } from 'node:fs'
import { RunTable } from './run-table.js'

// Node has no lseek. Each prints `start end` of every stretch of data; 3 and 4 are SEEK_DATA and SEEK_HOLE.
const PERL =
  'open F,"<",$ENV{ARENA_INSPECT_CORE} or die; for ($p=0;;$p=$h) { $d=sysseek F,$p,3 or last; $h=sysseek F,$d,4 or die; print $d+0," ",$h+0,"\\n" }'
const PYTHON = `import os
f = os.open(os.environ["ARENA_INSPECT_CORE"], os.O_RDONLY)
p = 0
while True:
  try: d = os.lseek(f, p, os.SEEK_DATA)
  except OSError: break
  p = os.lseek(f, d, os.SEEK_HOLE)
  print(d, p)
`
const ARGUMENTS = {
  perl: ['-e', PERL],
  python3: ['-c', PYTHON],
  gdb: ['-nx', '-batch', '-iex', 'set auto-load no', '-ex', `python exec(${JSON.stringify(PYTHON)})`],
} as const
type Lister = keyof typeof ARGUMENTS

// A core of a thousand GiB with every second page missing stays below it.
const MOST_OUTPUT_BYTES = 1 << 30
const PATIENCE_MS = 60_000

/**
 * The stretches of the open file `fd` that hold data, as positions in it. Null where the file has no holes at all, so
 * that it may have lost them in a copy, or where none of `listers` is here to list them.
 */
export function dataRuns(
  fd: number,
  listers: readonly Lister[] = ['perl', 'python3', 'gdb'],
): RunTable | null {
  const { blocks, size } = fstatSync(fd)
  if (blocks * 512 >= size) return null
  const path = `/proc/${process.pid}/fd/${fd}`
  for (const command of listers) {
    const run = spawnSync(command, ARGUMENTS[command], {
      encoding: 'latin1',
      maxBuffer: MOST_OUTPUT_BYTES,
      timeout: PATIENCE_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env.PATH, ARENA_INSPECT_CORE: path },
    })
    const runs = run.status === 0 ? parseRuns(run.stdout, size) : null
    if (runs) return runs
  }
  return null
}

/** The lines `start end` as a table; null when they are not rising stretches inside a file of `size` bytes. */
export function parseRuns(text: string, size: number): RunTable | null {
  const starts: number[] = []
  const ends: number[] = []
  let reached = 0
  for (const line of text.split('\n')) {
    if (line === '') continue
    const match = /^(\d+) (\d+)$/.exec(line)
    const start = match ? Number(match[1]) : Number.NaN
    const end = match ? Number(match[2]) : Number.NaN
    if (!(start >= reached && end > start && end <= size)) return null
    starts.push(start)
    ends.push(end)
    reached = end
  }
  if (starts.length === 0) return null
  return new RunTable(Float64Array.from(starts), Float64Array.from(ends), Float64Array.from(starts))
}
