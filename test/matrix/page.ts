// docs/glibc-matrix.md: a table an architecture; each test owns a column, writes it under UPDATE_DOCS=1, else compares.
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { ROOT } from '../support/programs.js'
import { ARCHITECTURES, type Architecture, RELEASES, type Release } from './glibcs.js'

/** What is looked at in every case, and what the page says of it. */
export const CHECKS = {
  live: 'the running process, without gdb: every figure is what its malloc_info and malloc_stats print',
  core: "the kernel's core of it, without gdb: the same figures, the same arenas and heaps",
  'core with symbols': 'the core, with gdb and the debug files of this glibc: the same figures',
  count:
    'live and core: live chunks and their bytes, of main_arena and of the others, and mmapped chunks are those that the program counted as it got and freed them',
  addresses:
    "main_arena, mp_, every arena and every heap were found without symbols exactly where libc6-dbg's symbols put them",
} as const
export type Check = keyof typeof CHECKS

/** What one case gave on one build. */
export interface Row {
  readonly name: string
  /** A check that did not run is absent. */
  readonly results: ReadonlyMap<Check, boolean>
  /** Why this glibc cannot have the case, or null. */
  readonly impossible: string | null
}

const PAGE = join(ROOT, 'docs/glibc-matrix.md')
const LOCK = `${PAGE}.lock`
const MOST_TRIES = 500
const NOTHING = '–'

/** Compares (or writes) the column of one build; where a check was skipped there is nothing to compare. */
export function checkPage(t: Test, release: Release, architecture: Architecture, rows: readonly Row[]): void {
  const name = `docs/glibc-matrix.md says what ran on ${release} ${architecture}`
  const names = Object.keys(CHECKS)
  if (rows.some((row) => row.impossible === null && row.results.size < names.length)) {
    t.pass(name, { skip: 'not every check could run here' })
    return
  }
  const column = new Map(rows.map((row) => [row.name, cellOf(row)]))
  if (process.env.UPDATE_DOCS === '1') update(release, architecture, column)
  const tables = parse(existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '')
  const page = new Map([...tables[architecture]].map(([row, cells]) => [row, cells.get(release)]))
  t.same([...page], [...column], name)
}

function cellOf({ results, impossible }: Row): string {
  if (impossible !== null) return NOTHING
  const wrong = [...results].filter(([, equal]) => !equal).map(([check]) => check)
  return wrong.length === 0 ? 'equal' : `differs: ${wrong.join(', ')}`
}

// Row → release → cell.
type Table = Map<string, Map<string, string>>

function parse(page: string): Record<Architecture, Table> {
  const tables = { amd64: new Map(), i386: new Map() } as Record<Architecture, Table>
  let table: Table | null = null
  for (const line of page.split('\n')) {
    const title = ARCHITECTURES.find((architecture) => line === `## ${architecture}`)
    if (title) table = tables[title]
    if (!table || !/^\| [^-]/.test(line)) continue
    const [row, ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (row === 'case') continue
    table.set(row!, new Map(RELEASES.map((release, index) => [release, cells[index] ?? ''])))
  }
  return tables
}

function update(release: Release, architecture: Architecture, column: ReadonlyMap<string, string>): void {
  mkdirSync(dirname(PAGE), { recursive: true })
  for (let tries = 0; !lock(); tries++) {
    if (tries === MOST_TRIES) throw new Error(`another run holds ${LOCK}; remove it if there is none`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  }
  try {
    const tables = parse(existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '')
    const before = tables[architecture]
    tables[architecture] = new Map(
      [...column].map(([row, cell]) => [row, new Map(before.get(row) ?? []).set(release, cell)]),
    )
    writeFileSync(`${PAGE}.draft`, render(tables))
    renameSync(`${PAGE}.draft`, PAGE)
  } finally {
    rmdirSync(LOCK)
  }
}

function lock(): boolean {
  try {
    mkdirSync(LOCK)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

function render(tables: Record<Architecture, Table>): string {
  const lines = [
    '# The glibc matrix',
    '',
    'Written by `UPDATE_DOCS=1 node test/all.mjs test/matrix/*.test.ts`, which also compares it on every run.',
    'Each case is a process of `test/programs/heap-shapes.c` on that glibc, as Debian built it. `equal` means that all',
    'of this holds; the numbers compared are those of every arena, of mmapped chunks and of the totals:',
    '',
    ...Object.entries(CHECKS).map(([check, what]) => `- ${check}: ${what}`),
    '',
    `\`${NOTHING}\`: this glibc cannot have the case (hugetlb is since 2.35; a 32-bit process has no 4 GiB).`,
  ]
  for (const architecture of ARCHITECTURES) {
    lines.push('', `## ${architecture}`, '')
    const rows = [...tables[architecture]].map(([row, cells]) => [
      row,
      ...RELEASES.map((r) => cells.get(r) ?? ''),
    ])
    const head = ['case', ...RELEASES]
    const widths = head.map((_, index) => Math.max(...[head, ...rows].map((row) => row[index]!.length)))
    const line = (row: readonly string[]) =>
      `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
    lines.push(line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line))
  }
  return `${lines.join('\n')}\n`
}
