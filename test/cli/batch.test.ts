// `batch`: 200 cores, ten of them broken, a SIGKILL in the middle, workers that die and hang.
import { type ChildProcess, execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { BatchRow } from '../../src/cli/batch/row.js'
import type { Report } from '../../src/report/report.js'
import { arenaInspect, type Ended, startArenaInspect } from '../support/command.js'
import { compile, gcore, scratch, start } from '../support/programs.js'
import { waitUntil } from '../support/wait-until.js'

const folder = scratch()
const program = compile(
  '#include <stdlib.h>\n#include <stdio.h>\n#include <unistd.h>\n' +
    'int main(void) { for (int i = 0; i < 64; i++) free(malloc(100 + 16 * i)); puts("ready"); fflush(stdout); for (;;) pause(); }',
)
const running = await start(program)
const core = gcore(running.pid, join(folder, 'small'))
await running.kill()

const rowsOf = (text: string): BatchRow[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BatchRow)

function batch(...args: readonly string[]): Promise<Ended> {
  return arenaInspect(['batch', ...args, '--jobs', '2', '--no-gdb', '--no-config'])
}

function workersOf({ pid }: ChildProcess): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

/** A folder with `count` names of the one core. */
function cores(name: string, count: number): string {
  const into = join(folder, name)
  mkdirSync(into)
  for (let i = 0; i < count; i++) linkSync(core, join(into, `core.${i}`))
  return into
}

t.test('200 cores, ten of them broken, ended by SIGKILL and run again', async (t) => {
  const into = cores('fleet', 190)
  const broken = {
    cut: readFileSync(core).subarray(0, 100),
    'cut-again': readFileSync(core).subarray(0, 30),
    text: 'no core at all\n',
    'more-text': 'core\n',
    zeros: Buffer.alloc(65536),
    'more-zeros': Buffer.alloc(10),
    empty: '',
  }
  for (const [name, bytes] of Object.entries(broken)) writeFileSync(join(into, name), bytes)
  mkdirSync(join(into, 'folder'))
  const locked = join(into, 'locked')
  if (process.getuid?.() === 0) execFileSync('mkfifo', [locked])
  else {
    copyFileSync(core, locked)
    chmodSync(locked, 0)
  }
  const list = join(folder, 'list')
  const names = [...readdirSync(into), 'vanished']
  writeFileSync(list, names.map((name) => `${join(into, name)}\n`).join(''))
  t.equal(names.length, 200)
  const out = join(folder, 'out')
  const journal = join(out, 'batch.ndjson')
  const args = ['batch', list, '-o', out, '--jobs', '2', '--no-gdb', '--no-config']

  const first = startArenaInspect(args)
  const lines = () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 1 : 0)
  await waitUntil('some are done', () => lines() >= 60, first.ending)
  const workers = workersOf(first.child)
  t.equal(workers.length, 2)
  const second = await batch(list, '-o', out)
  t.equal(second.code, 1)
  t.match(second.stderr, /another batch \(pid \d+\) writes to .*; wait for it/)
  first.child.kill('SIGKILL')
  t.equal((await first.ended).signal, 'SIGKILL')
  await waitUntil('its workers end with it', () => workers.every((pid) => !existsSync(`/proc/${pid}`)))
  appendFileSync(journal, '{"schema":"arena-inspect-batch/1","path":"/torn')
  const done = rowsOf(readFileSync(journal, 'utf8').replace(/[^\n]*$/, ''))
  t.ok(done.length >= 60 && done.length < 200, `${done.length} rows before the end`)

  const { code, stdout, stderr } = await arenaInspect(args)
  t.equal(code, 4, stderr)
  const rows = rowsOf(stdout)
  t.equal(rows.length, 200)
  t.same(new Set(rows.map(({ path }) => path)), new Set(names.map((name) => join(into, name))))
  const byPath = new Map(rows.map((row) => [row.path, row]))
  for (const row of done) t.same(byPath.get(row.path), row, 'no work is done twice')
  t.match(stderr, `${done.length} of 200 were finished by an earlier run`)
  t.match(stderr, /190 reports, 10 failed, 0 skipped/)
  const failed = rows.filter(({ status }) => status === 'failed')
  t.equal(failed.length, 10)
  for (const { error, path } of failed) {
    t.match(error!.message, path, 'one line that names it')
    t.notMatch(error!.message, /defect|\n/)
    t.ok(error!.hint !== '')
  }
  t.same(rowsOf(readFileSync(journal, 'utf8')).length, 200, 'the torn line is gone')
  const reports = readdirSync(out).filter((name) => name.endsWith('.json'))
  t.equal(reports.length, 190)
  const one = rows.find(({ path }) => path.endsWith('/core.7'))!
  const report = JSON.parse(readFileSync(join(out, one.reports.json!), 'utf8')) as Report
  const alone = JSON.parse((await arenaInspect(['report', one.path, '--json', '--no-gdb'])).stdout) as Report
  t.same(report, alone, 'the report is that of `report`')
  t.match(one, {
    complete: alone.complete,
    figures: { arenas: 1, systemBytes: alone.heap!.totals.systemBytes, glibc: alone.target.glibc!.version },
    findings: alone.findings.map(({ rule, severity, title }) => ({ rule, severity, title })),
  })
  t.same(
    readdirSync(out).filter((name) => name !== 'batch.ndjson' && !name.endsWith('.json')),
    [],
    'no drafts, no lock',
  )
})

t.test(
  'a folder: what is no core is skipped with a line; rows are redone when what they rest on changed',
  async (t) => {
    const into = cores('mixed', 2)
    mkdirSync(join(into, 'deeper'))
    linkSync(core, join(into, 'deeper', 'core.\x1b[2J\n0'))
    writeFileSync(join(into, 'notes.txt'), 'notes\n')
    writeFileSync(join(into, 'core.text'), 'this should have been a core\n')
    const out = join(into, 'out')
    const first = await batch(into, '-o', out, '--format', 'json,markdown')
    t.equal(first.code, 4, first.stderr)
    t.same(
      rowsOf(first.stdout)
        .map(({ status }) => status)
        .sort(),
      ['failed', 'ok', 'ok', 'ok', 'skipped'],
    )
    t.notMatch(first.stderr, '\x1b')
    t.match(first.stderr, /skipped: .*notes\.txt is not a core file/)
    t.equal(readdirSync(out).filter((name) => name.endsWith('.md')).length, 3)
    const again = await batch(into, '-o', out, '--format', 'json,markdown')
    t.same(rowsOf(again.stdout).sort(byPathOf), rowsOf(first.stdout).sort(byPathOf), 'not even one')
    const times = (ended: Ended) => new Set(rowsOf(ended.stdout).map(({ at }) => at))
    const retried = await batch(into, '-o', out, '--format', 'json', '--retry-failed')
    t.equal([...times(retried)].filter((at) => !times(first).has(at)).length, 1, 'the failed one')
    const low = ['arena-bloat.leastArenas=1', 'arena-bloat.leastFreeBytes=1K']
    const set = low.flatMap((text) => ['--threshold', text])
    const judged = await batch(into, '-o', out, ...set, '--fail-on', 'warning')
    t.equal([...times(judged)].filter((at) => times(first).has(at)).length, 0, 'judged by other thresholds')
    t.equal(judged.code, 3)
  },
)

function byPathOf(a: BatchRow, b: BatchRow): number {
  return a.path < b.path ? -1 : 1
}

t.test('a worker that crashes, and one that hangs, take only their own core with them', async (t) => {
  const into = cores('crash', 12)
  const args = ['batch', into, '--jobs', '1', '--timeout', '6s', '--no-gdb', '--no-config']
  const { child, ended } = startArenaInspect(args)
  let seen = 0
  child.stdout!.on('data', (text: string) => {
    const before = seen
    seen += text.split('\n').length - 1
    const [worker] = workersOf(child)
    if (before < 2 && seen >= 2) process.kill(worker!, 'SIGSEGV')
    if (before < 6 && seen >= 6) process.kill(worker!, 'SIGSTOP')
  })
  const { code, stdout } = await ended
  t.equal(code, 4)
  const rows = rowsOf(stdout)
  t.equal(rows.length, 12)
  const errors = rows.flatMap(({ error }) => (error ? [error.message] : []))
  t.equal(errors.length, 2, errors.join('\n'))
  t.match(errors.join('\n'), /the process that read it was ended by SIGSEGV/)
  t.match(errors.join('\n'), /not done after 6 s/)
})

t.test('signals and wrong arguments', async (t) => {
  const into = cores('signals', 40)
  const out = join(folder, 'signals-out')
  const { child, ended, ending } = startArenaInspect([
    'batch',
    into,
    '-o',
    out,
    '--jobs',
    '2',
    '--no-gdb',
    '--no-config',
  ])
  const works = () => existsSync(join(out, 'batch.ndjson')) && readdirSync(out).length > 3
  await waitUntil('it works', works, ending)
  child.kill('SIGINT')
  const { code, stdout } = await ended
  t.equal(code, 130)
  t.ok(
    rowsOf(stdout).every(({ status }) => status === 'ok'),
    'what was under way is not told as failed',
  )
  t.notOk(existsSync(join(out, 'batch.lock')))
  const asCore = await batch(core)
  t.equal(asCore.code, 2)
  t.match(asCore.stderr, /is no list but an ELF file; one core: arena-inspect report/)
  t.match((await batch('/no/such/list')).stderr, /cannot read \/no\/such\/list \(ENOENT\); give a folder/)
  t.equal((await batch(into, '--timeout', 'soon')).code, 2)
  t.match((await batch(into, '--format', 'json,pdf')).stderr, /knows no "pdf"; it takes json, markdown, text/)
  t.match((await arenaInspect(['batch-worker'])).stderr, /batch-worker is started by batch/)
})
