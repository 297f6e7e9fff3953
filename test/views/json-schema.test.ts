// The JSON contract: docs/schemas/ is what the types say, and what the commands write conforms to it, without a field too many.
// UPDATE_SCHEMAS=1 writes docs/schemas/ anew.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import t, { type Test } from 'tap'
import { createGenerator } from 'ts-json-schema-generator'
import { fakeReport } from '../fakes/fake-session.js'
import { fakeTrace } from '../fakes/trace.js'
import { arenaInspect, startArenaInspect } from '../support/command.js'
import { mapperProgram, startMapper } from '../support/mapper.js'
import { compile, gcore, ROOT, scratch, start } from '../support/programs.js'
import { loaderSchema } from '../support/report-schema.js'
import { waitUntil } from '../support/wait-until.js'

t.setTimeout(300_000)

const DOCUMENTS = [
  ['report-1', 'src/report/report.ts', 'Report'],
  ['diff-1', 'src/diff/diff.ts', 'Diff'],
  ['trace-1', 'src/trace/trace.ts', 'Trace'],
  ['watch-1', 'src/watch/summary.ts', 'WatchSummary'],
  ['watch-sample-1', 'src/views/json/watch-json.ts', 'WatchSampleLine'],
] as const
type Name = (typeof DOCUMENTS)[number][0]

/** Of the types: as it is published, where fields may be added, or with exactly those of today. */
function schemaOf(name: Name, isExact: boolean): Record<string, unknown> {
  const [, path, type] = DOCUMENTS.find(([other]) => other === name)!
  const schema = createGenerator({
    path: join(ROOT, path),
    tsconfig: join(ROOT, 'tsconfig.json'),
    type,
    skipTypeCheck: true,
    additionalProperties: !isExact,
  }).createSchema(type) as Record<string, unknown>
  return { ...schema, title: type }
}

const exact = new Map<Name, ReturnType<Ajv['compile']>>()

function conforms(t: Test, name: Name, text: string): void {
  const known = exact.get(name)
  const validate = known ?? new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schemaOf(name, true))
  exact.set(name, validate)
  const isValid = validate(JSON.parse(text))
  t.ok(isValid, JSON.stringify(validate.errors?.slice(0, 3)))
}

t.test('the published schemas are those of the types', async (t) => {
  for (const [name] of DOCUMENTS) {
    const file = join(ROOT, 'docs/schemas', `${name}.json`)
    const text = `${JSON.stringify(schemaOf(name, false), null, 2)}\n`
    if (process.env.UPDATE_SCHEMAS) writeFileSync(file, text)
    t.ok(existsSync(file) && readFileSync(file, 'utf8') === text, `${name}: run with UPDATE_SCHEMAS=1`)
    new Ajv({ allErrors: true, allowUnionTypes: true }).compile(JSON.parse(text))
  }
})

t.test('the schema that saved reports are checked by is the published one, made strict', async (t) => {
  const file = join(ROOT, 'src/report/report-schema.json')
  const text = `${JSON.stringify(loaderSchema(schemaOf('report-1', false) as Parameters<typeof loaderSchema>[0]))}\n`
  if (process.env.UPDATE_SCHEMAS) writeFileSync(file, text)
  t.ok(existsSync(file) && readFileSync(file, 'utf8') === text, 'run with UPDATE_SCHEMAS=1')
})

t.test('reports of a live process, a core, a stopped process, and of what is no glibc heap', async (t) => {
  const folder = scratch()
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, ['8', '2', '1', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const pid = String(running.pid)
  const core = gcore(running.pid, join(folder, 'core'))
  for (const args of [['--pid', pid], ['--pid', pid, '--stop'], ['--pid', pid, '--no-gdb'], [core]]) {
    const { stdout, stderr, code } = await arenaInspect(['report', ...args, '--json'])
    t.equal(code, 0, stderr)
    conforms(t, 'report-1', stdout)
  }
  const diff = await arenaInspect(['diff', core, `pid:${pid}`, '--json'])
  t.equal(diff.code, 0, diff.stderr)
  conforms(t, 'diff-1', diff.stdout)
  await running.kill()
  const bare = compile('void _start(void) { __asm__ volatile("1: mov $34,%eax; syscall; jmp 1b"); }', [
    '-static',
    '-nostdlib',
  ])
  const still = spawn(bare, [], { stdio: 'ignore' })
  const { stdout } = await arenaInspect(['report', '--pid', String(still.pid), '--json'])
  still.kill('SIGKILL')
  t.match(JSON.parse(stdout), { heap: null })
  conforms(t, 'report-1', stdout)
  conforms(t, 'report-1', JSON.stringify(fakeReport()))
})

t.test('a trace, a watch, and its lines', async (t) => {
  const mapper = await startMapper(['path', '2'], { program: mapperProgram() })
  t.teardown(() => mapper.end())
  const pid = String(mapper.pid)
  const { child, ended, stderr } = startArenaInspect(['trace', '--pid', pid, '--format', 'json'])
  await waitUntil('it watches', () => stderr().includes('watching process'))
  await mapper.work()
  child.kill('SIGINT')
  const traced = await ended
  t.match(JSON.parse(traced.stdout), { mapped: { calls: 4 } })
  conforms(t, 'trace-1', traced.stdout)
  conforms(t, 'trace-1', JSON.stringify(fakeTrace()))
  const file = join(scratch(), 'watch.json')
  const watched = await arenaInspect([
    ...['watch', '--pid', pid, '--every', '200ms', '--count', '3', '--json', '-o', file],
  ])
  t.equal(watched.code, 0, watched.stderr)
  conforms(t, 'watch-1', readFileSync(file, 'utf8'))
  const lines = watched.stdout.trim().split('\n')
  const samples = lines.filter((line) => JSON.parse(line).kind === 'sample')
  t.equal(samples.length, 3)
  for (const line of samples) conforms(t, 'watch-sample-1', line)
})

t.test('a field too many, one too few, and a wrong type are told', async (t) => {
  const validate = new Ajv({ allowUnionTypes: true }).compile(schemaOf('report-1', true))
  const good = fakeReport()
  t.ok(validate(good))
  t.notOk(validate({ ...good, more: 1 }))
  t.notOk(validate({ ...good, findings: undefined }))
  t.notOk(validate({ ...good, target: { ...good.target, threads: '3' } }))
  const published = new Ajv({ allowUnionTypes: true }).compile(schemaOf('report-1', false))
  t.ok(published({ ...good, more: 1 }), 'a later version may add fields')
})
