// The JSON contract: docs/schemas/ is what the types say, and what the commands write conforms to it, without a field too many.
// UPDATE_SCHEMAS=1 writes docs/schemas/ anew.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import t, { type Test } from 'tap'
import { createGenerator } from 'ts-json-schema-generator'
import { fakeReport } from '../fakes/fake-session.js'
import { fakeTrace } from '../fakes/trace.js'
import { arenaInspect, startArenaInspect } from '../support/command.js'
import { endWithUs } from '../support/end-with-us.js'
import { mapperProgram, startMapper } from '../support/mapper.js'
import { compile, gcore, ROOT, scratch, start } from '../support/programs.js'
import { loaderSchema } from '../support/report-schema.js'
import { waitUntil } from '../support/wait-until.js'

/** Name of the schema's file, and the type that it is made from. */
const DOCUMENTS = {
  'report-1': 'Report',
  'trace-1': 'Trace',
  'watch-1': 'WatchSummary',
  'watch-sample-1': 'WatchSampleLine',
  'arenas-1': 'ArenasDocument',
  'heaps-1': 'HeapsDocument',
  'bins-1': 'BinsDocument',
  'threads-1': 'ThreadsDocument',
  'maps-1': 'MapsDocument',
  'chunk-1': 'ChunkLine',
  'x-1': 'XDocument',
  'what-1': 'WhatDocument',
  'stats-1': 'StatsDocument',
  'verify-1': 'VerifyDocument',
  'trim-1': 'TrimDocument',
  'limit-1': 'LimitDocument',
  'batch-1': 'BatchRow',
  'diff-1': 'Diff',
  'find-1': 'FoundPlace',
} as const
type Name = keyof typeof DOCUMENTS
const NAMES = Object.keys(DOCUMENTS) as Name[]
/** Those that are written a line each. */
const LINES: ReadonlySet<Name> = new Set(['chunk-1', 'batch-1', 'find-1'])

const generators = new Map<boolean, ReturnType<typeof createGenerator>>()

/** Of the types: as it is published, where fields may be added, or with exactly those of today. */
function schemaOf(name: Name, isExact: boolean): Record<string, unknown> {
  const known = generators.get(isExact)
  const generator =
    known ??
    createGenerator({
      path: join(ROOT, 'src/cli/documents/all.ts'),
      tsconfig: join(ROOT, 'tsconfig.json'),
      skipTypeCheck: true,
      additionalProperties: !isExact,
    })
  generators.set(isExact, generator)
  const type = DOCUMENTS[name]
  return { ...generator.createSchema(type), title: type }
}

const exact = new Map<Name, ReturnType<Ajv['compile']>>()

function conforms(t: Test, name: Name, text: string): void {
  const known = exact.get(name)
  const validate = known ?? new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schemaOf(name, true))
  exact.set(name, validate)
  const isValid = validate(JSON.parse(text))
  t.ok(isValid, `${name}: ${JSON.stringify(validate.errors?.slice(0, 3))}`)
}

t.test('the published schemas are those of the types', async (t) => {
  for (const name of NAMES) {
    const file = join(ROOT, 'docs/schemas', `${name}.json`)
    const text = `${JSON.stringify(schemaOf(name, false), null, 2)}\n`
    if (process.env.UPDATE_SCHEMAS) writeFileSync(file, text)
    t.ok(existsSync(file) && readFileSync(file, 'utf8') === text, `${name}: run with UPDATE_SCHEMAS=1`)
    new Ajv({ allErrors: true, allowUnionTypes: true }).compile(JSON.parse(text))
  }
  const page = readFileSync(join(ROOT, 'docs/json.md'), 'utf8')
  for (const file of readdirSync(join(ROOT, 'docs/schemas')))
    t.match(page, `schemas/${file}`, 'docs/json.md names it')
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
  const of = async (name: Name, ...args: string[]) => {
    const { stdout, stderr, code } = await arenaInspect(args)
    t.equal(code, name === 'batch-1' ? 4 : 0, `${args.join(' ')}: ${stderr}`)
    for (const one of LINES.has(name) ? stdout.trim().split('\n') : [stdout]) conforms(t, name, one)
    return stdout
  }
  for (const [command, name] of [
    ['arenas', 'arenas-1'],
    ['heaps', 'heaps-1'],
    ['bins', 'bins-1'],
    ['threads', 'threads-1'],
    ['maps', 'maps-1'],
  ] as const) {
    const { schema } = JSON.parse(await of(name, command, core, '--json')) as { schema: string }
    t.equal(schema, `arena-inspect-${command}/1`)
  }
  const ndjson = await of('chunk-1', 'chunks', core, '--format', 'ndjson', '--limit', '500', '--sort', 'size')
  t.equal(ndjson, await of('chunk-1', 'chunks', core, '--json', '--limit', '500', '--sort', 'size'))
  for (const as of ['words', 'hex', 'chunks']) await of('x-1', 'x', core, 'arena:2', '--as', as, '--json')
  for (const place of ['arena:2', 'main_arena', '0x10']) await of('what-1', 'what', core, place, '--json')
  const list = join(folder, 'list')
  writeFileSync(list, `${core}\n/etc/passwd\n/no/such/file\n`)
  await of('batch-1', 'batch', list, '-o', join(folder, 'reports'), '--rule-off', 'cpu-quota')
  const diff = await arenaInspect(['diff', core, `pid:${pid}`, '--json'])
  t.equal(diff.code, 0, diff.stderr)
  conforms(t, 'diff-1', diff.stdout)
  await of('find-1', 'find', core, 'PATH=', '--json')
  await running.kill()
  const bare = compile('void _start(void) { __asm__ volatile("1: mov $34,%eax; syscall; jmp 1b"); }', [
    '-static',
    '-nostdlib',
  ])
  const still = endWithUs(spawn(bare, [], { stdio: 'ignore' }))
  const { stdout } = await arenaInspect(['report', '--pid', String(still.pid), '--json'])
  still.kill('SIGKILL')
  t.match(JSON.parse(stdout), { heap: null })
  conforms(t, 'report-1', stdout)
  conforms(t, 'report-1', JSON.stringify(fakeReport()))
})

t.test('what runs inside a process', async (t) => {
  const running = await start(
    compile('examples/programs/arena-bloat.c'),
    ['4', '1', '5', 'log:16:4096', 'out'],
    {
      cwd: scratch(),
    },
  )
  const pid = String(running.pid)
  for (const [name, ...args] of [
    ['stats-1', 'stats'],
    ['verify-1', 'verify'],
    ['trim-1', 'trim', '--dry-run'],
    ['trim-1', 'trim'],
    ['limit-1', 'limit', '--arena-max', '8', '--dry-run'],
    ['limit-1', 'limit', '--arena-max', '8'],
  ] as const) {
    const { stdout, stderr, code } = await arenaInspect([...args, '--pid', pid, '--yes', '--json'])
    t.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    conforms(t, name, stdout)
  }
  await running.kill()
})

t.test('a trace, a watch, and its lines', async (t) => {
  const mapper = await startMapper(['path', '2'], { program: mapperProgram() })
  t.teardown(() => mapper.end())
  const pid = String(mapper.pid)
  const { child, ended, stderr, ending } = startArenaInspect(['trace', '--pid', pid, '--format', 'json'])
  await waitUntil('it watches', () => stderr().includes('watching process'), ending)
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
