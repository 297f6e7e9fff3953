// Many cores under engines: GNU parallel as it is, the scripts of Slurm and Kubernetes with their variables; the rows in DuckDB.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import t from 'tap'
import type { BatchRow } from '../../src/cli/batch/row.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, ROOT, scratch, start } from '../support/programs.js'

const folder = scratch()
const FLEET = join(ROOT, 'examples/fleet')
const program = compile(
  '#include <stdlib.h>\n#include <stdio.h>\n#include <unistd.h>\nvoid *volatile last;\n' +
    'int main(void) { for (int i = 0; i < 64; i++) { last = malloc(2000); free(malloc(100)); } puts("ready"); fflush(stdout); for (;;) pause(); }',
)
const running = await start(program)
const cores = join(folder, 'cores')
mkdirSync(cores)
const core = gcore(running.pid, join(cores, 'core.0'))
await running.kill()
for (let i = 1; i < 57; i++) linkSync(core, join(cores, `core.${i}`))
writeFileSync(join(cores, 'core.text'), 'no core\n')

// `arena-inspect` as it is installed.
const bin = join(folder, 'bin')
mkdirSync(bin)
const cli = `#!/bin/sh\nunset NODE_OPTIONS\nexec '${process.execPath}' '${join(ROOT, 'dist/cli.js')}' "$@"\n`
writeFileSync(join(bin, 'arena-inspect'), cli, { mode: 0o755 })
await arenaInspect(['--version'])

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): SpawnSyncReturns<string> {
  const { NODE_V8_COVERAGE: _, ...own } = process.env
  const all = { ...own, ...env, PATH: `${bin}:${process.env.PATH}` }
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8', env: all, maxBuffer: 1 << 28 })
}

function rowsIn(out: string): BatchRow[] {
  return readdirSync(out, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('batch.ndjson'))
    .flatMap((name) => readFileSync(join(out, name), 'utf8').trim().split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BatchRow)
}

const out = join(folder, 'reports')

t.test('GNU parallel', async (t) => {
  if (spawnSync('parallel', ['--version']).error) return t.comment('skipped: there is no GNU parallel')
  const low = ['--threshold', 'arena-bloat.leastArenas=1', '--threshold', 'arena-bloat.leastFreeBytes=1']
  const more = [...low, '--threshold', 'arena-bloat.lowUsePercent=101', '--no-gdb', '--no-config']
  const args = [join(FLEET, 'parallel.sh'), cores, out, '2', ...more]
  const { status, stdout, stderr } = run('/bin/sh', args)
  t.equal(status, 1, `one batch has a core that failed: ${stderr}`)
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as BatchRow)
  t.equal(rows.length, 58)
  t.equal(rows.filter((row) => row.status === 'ok').length, 57)
  t.equal(rowsIn(out).length, 58, 'in two folders')
  const again = run('/bin/sh', args)
  t.match(again.stderr, '50 of 50 were finished by an earlier run')
})

t.test('the scripts of Slurm and Kubernetes', async (t) => {
  const list = join(folder, 'list')
  writeFileSync(
    list,
    ['core.1', 'core.2', 'core.3', 'core.text'].map((name) => `${join(cores, name)}\n`).join(''),
  )
  const slurm = join(folder, 'slurm')
  for (const task of ['0', '1']) {
    const env = { SLURM_ARRAY_TASK_ID: task, SLURM_ARRAY_TASK_COUNT: '2', SLURM_CPUS_PER_TASK: '2' }
    const { status, stderr } = run('/bin/sh', [join(FLEET, 'slurm-array.sh'), list, slurm], env)
    t.equal(status, 0, stderr)
  }
  t.same(new Set(rowsIn(slurm).map(({ path }) => path)).size, 4, 'each in one task')
  const yaml = readFileSync(join(FLEET, 'kubernetes-job.yaml'), 'utf8')
  const script = /args:\n +- \|\n((?: {14}.*\n)+)/.exec(yaml)![1]!.replace(/^ {14}/gm, '')
  const few = join(folder, 'few')
  mkdirSync(few)
  for (let i = 0; i < 5; i++) linkSync(core, join(few, `core.${i}`))
  const pods = join(folder, 'pods')
  for (const index of ['0', '1']) {
    const env = { JOB_COMPLETION_INDEX: index, SHARES: '2', CORES: few, OUT: pods }
    const { status, stderr } = run('/bin/sh', ['-c', script], env)
    t.equal(status, 0, stderr)
  }
  t.equal(rowsIn(pods).length, 5)
  t.equal(/completions: (\d+)/.exec(yaml)![1], /SHARES\n +value: "(\d+)"/.exec(yaml)![1], 'a share a pod')
})

t.test('DuckDB', async (t) => {
  if (rowsIn(out).length === 0) return t.comment('skipped: no rows without GNU parallel')
  const database = await DuckDBInstance.create(':memory:')
  const connection = await database.connect()
  const text = readFileSync(join(FLEET, 'queries.sql'), 'utf8')
  const statements = text
    .replace('reports/**', `${out}/**`)
    .replace(/^--.*$/gm, '')
    .split(';')
    .filter((statement) => statement.trim() !== '')
  const answers: Record<string, unknown>[][] = []
  for (const statement of statements) {
    const read = await connection.runAndReadAll(statement)
    answers.push(read.getRowObjectsJson() as Record<string, unknown>[])
  }
  const [, , status, failed, findings, most, programs, days] = answers
  t.match(status, [
    { status: 'failed', cores: '1' },
    { status: 'ok', cores: '57' },
  ])
  t.match(failed, [{ path: join(cores, 'core.text'), why: /is not a core file/ }])
  t.match(findings![0], { rule: 'arena-bloat', severity: 'warning', cores: '57' })
  const [row] = rowsIn(out).filter((one) => one.status === 'ok')
  t.equal(most!.length, 20)
  t.equal(most![0]!.freeBytes, String(row!.figures!.freeBytes))
  t.match(programs, [{ executable: row!.figures!.executable, glibc: row!.figures!.glibc, cores: '57' }])
  t.match(days, [{ cores: '57' }])
  connection.closeSync()
})
