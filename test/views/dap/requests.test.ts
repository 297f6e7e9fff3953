// Every request of the debug adapter on a core that the kernel wrote, by a client of our own; transcripts by the schema.
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DebugProtocol as P } from '@vscode/debugprotocol'
import t from 'tap'
import { readHeapModel } from '../../../src/malloc/read-heap-model.js'
import { address, hex } from '../../../src/memory/address.js'
import { readExactly } from '../../../src/memory/memory-source.js'
import type { Report } from '../../../src/report/report.js'
import { openTarget } from '../../../src/target/open.js'
import { DapClient } from '../../support/dap-client.js'
import { schemaFaults } from '../../support/dap-schema.js'
import { compile, gcore, kernelCores, ROOT, scratch, start } from '../../support/programs.js'
import { waitUntil } from '../../support/wait-until.js'

const SOURCE = 'test/programs/dap-target.c'
const folder = scratch()
// The source is compiled by its path, so that debug information names a file that is here.
const program = compile(`#include "${join(ROOT, SOURCE)}"\n`, ['-O0'])
const CHUNKS = 2000

async function crashCore(): Promise<string> {
  const running = await start(program, [join(folder, 'crash.hb'), String(CHUNKS), 'crash'], { cwd: folder })
  // It may be gone already: the end of its output comes with it.
  await waitUntil(
    'it has crashed',
    () => running.child.exitCode !== null || running.child.signalCode !== null,
  )
  const core = readdirSync(folder).find((name) => /^core(\.|$)/.test(name))!
  renameSync(join(folder, core), join(folder, 'crash.core'))
  return join(folder, 'crash.core')
}

const running = await start(program, [join(folder, 'live.hb'), String(CHUNKS)])
const core = gcore(running.pid, join(folder, 'live.core'))
await running.kill()

const client = DapClient.spawn()
t.teardown(() => client.child?.kill('SIGKILL'))
const lineOf = (text: string) =>
  readFileSync(join(ROOT, SOURCE), 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1

let waits: P.StackFrame
let mainThread: number

t.test('opened: capabilities, events in order, threads', async (t) => {
  const early = await client.expectError('threads')
  t.equal(early.id, 1003, early.message)
  const capabilities = await client.expectInitialize({ supportsProgressReporting: true })
  t.ok(capabilities.supportsReadMemoryRequest && capabilities.supportsCancelRequest)
  t.notOk(capabilities.supportsSetExpression, 'setExpression is not offered')
  t.notOk(capabilities.supportsWriteMemoryRequest)
  await client.expectEvent('initialized')
  const opening = client.send('launch', { core, program })
  const twice = await client.expectError('attach', { core })
  t.equal(twice.id, 1004, twice.message)
  // What is asked for while it opens waits for it.
  const threads = client.expectThreads()
  t.ok((await client.response(opening)).success)
  t.equal((await threads).length, 3)
  t.match(await client.expectEvent('progressStart'), {
    progressId: `work-${opening}`,
    requestId: opening,
    cancellable: true,
  })
  t.match(await client.expectEvent('progressEnd'), { progressId: `work-${opening}` })
  t.match(await client.expectEvent('output'), { category: 'console', output: /live\.core: 3 threads, glibc/ })
  t.notOk(
    client.transcript.some((m) => m.type === 'event' && (m as P.Event).event === 'stopped'),
    'not before the client is ready',
  )
  await client.expect('configurationDone')
  const stopped = await client.expectEvent<P.StoppedEvent['body']>('stopped')
  t.match(stopped, { reason: 'pause', allThreadsStopped: true })
  mainThread = stopped.threadId!
})

t.test('stackTrace by pages', async (t) => {
  const whole = await client.expectStackTrace(mainThread)
  t.equal(whole.totalFrames, whole.stackFrames.length)
  const names = whole.stackFrames.map(({ name }) => name)
  t.equal(names.filter((name) => name === 'deep').length, 41)
  t.equal(names.at(-1), 'main')
  const page = await client.expectStackTrace(mainThread, { startFrame: 5, levels: 3 })
  t.same(page.stackFrames, whole.stackFrames.slice(5, 8))
  t.ok(page.totalFrames! > 8, 'it goes on')
  t.equal(whole.stackFrames[0]!.source, undefined, 'a source that is not here is not to be opened')
  t.match(whole.stackFrames[0]!.name, / (at|in) /)
  const behind = await client.expectStackTrace(mainThread, { startFrame: 5000, levels: 10 })
  t.same(behind.stackFrames, [])
  waits = whole.stackFrames.find(({ name }) => name === 'waits')!
  t.equal(waits.source?.path, join(ROOT, SOURCE))
  t.equal(waits.line, lineOf('for (;;) pause();\n') || waits.line)
  t.equal((await client.expectError('stackTrace', { threadId: 1 })).id, 1010)
})

t.test('arguments, locals, registers', async (t) => {
  const scopes = await client.expectScopes(waits.id)
  t.same([...scopes.keys()], ['Arguments', 'Locals', 'Registers', 'Arenas', 'Ledger', 'Findings', 'Regions'])
  const args = await client.expectVariables(scopes.get('Arguments')!.variablesReference)
  t.same(
    args.map(({ name }) => name),
    ['list', 'text', 'crash'],
  )
  const [list] = args
  const inside = await client.expectVariables(list!.variablesReference)
  t.match(inside, [
    { name: 'id', value: '7' },
    { name: 'weight', value: '1.5' },
    { name: 'label', type: 'char [16]', indexedVariables: 16 },
    { name: 'next', type: 'struct item *', memoryReference: /^0x/ },
  ])
  const pointer = Buffer.alloc(4)
  pointer.writeInt32LE(7)
  t.equal(
    (await client.expectMemory(list!.memoryReference!, 4)).data,
    pointer.toString('base64'),
    'its reference leads to it',
  )
  const next = await client.expectVariables(inside[3]!.variablesReference)
  t.match(next[0], { name: 'id', value: '8' })
  const locals = new Map(
    (await client.expectVariables(scopes.get('Locals')!.variablesReference)).map((v) => [v.name, v]),
  )
  const numbers = locals.get('numbers')!
  const elements = await client.expectVariables(numbers.variablesReference)
  t.same(
    elements.map(({ value }) => value),
    ['1', '1', '2', '3', '5'],
  )
  t.same(
    await client.expectVariables(numbers.variablesReference, { filter: 'indexed', start: 3, count: 2 }),
    elements.slice(3),
  )
  const page = locals.get('page')!
  t.equal(page.indexedVariables, 4096)
  t.equal(
    (await client.expectVariables(page.variablesReference, { filter: 'indexed', start: 4090, count: 100 }))
      .length,
    6,
  )
  const memory = await client.expectMemory(page.memoryReference!, 4096)
  t.same(Buffer.from(memory.data!, 'base64'), Buffer.alloc(4096, 0xab))
  const registers = await client.expectVariables(scopes.get('Registers')!.variablesReference)
  const pc = registers.find(({ name }) => name === 'rip' || name === 'pc')!
  t.equal(pc.value, waits.instructionPointerReference)
  t.equal(pc.memoryReference, pc.value)
  const others = await client.expectVariables(registers.at(-1)!.variablesReference)
  t.ok(others.length > 20, 'the rest is one level below')
  t.equal((await client.expectError('scopes', { frameId: 4711 })).id, 1011)
})

t.test('Arenas, Ledger, Findings, Regions', async (t) => {
  const scopes = await client.expectScopes(waits.id)
  const report = await client.expectEvaluate('report --format json')
  const { heap, findings, ledger } = JSON.parse(report.result) as {
    heap: { arenas: { address: string; systemBytes: number; usedChunks: number; freeChunks: number }[] }
    findings: { rule: string }[]
    ledger: { totalBytes: number } | null
  }
  const arenas = await client.expectVariables(scopes.get('Arenas')!.variablesReference)
  t.same(
    arenas.map(({ name }) => name),
    ['totals', 'mmapped chunks', '[0] main', '[1]'],
  )
  t.equal(arenas[3]!.memoryReference, heap.arenas[1]!.address)
  const main = await client.expectVariables(arenas[2]!.variablesReference)
  t.match(
    main.find(({ name }) => name === 'system bytes')?.value,
    new RegExp(`^${heap.arenas[0]!.systemBytes} `),
  )
  const chunks = main.find(({ name }) => name === 'chunks')!
  t.ok(chunks.indexedVariables! >= heap.arenas[0]!.usedChunks + heap.arenas[0]!.freeChunks)
  const target = openTarget({ kind: 'core', path: core })
  const rows = await client.expectVariables(chunks.variablesReference, {
    filter: 'indexed',
    start: 100,
    count: 50,
  })
  t.equal(rows.length, 50)
  for (const { name, value, memoryReference } of rows) {
    const [, size] = / {2}([\d,]+) bytes, /.exec(value)!
    const header = readExactly(target.memory, address(BigInt(memoryReference!)), 16)
    const sizeField = Number(Buffer.from(header).readBigUInt64LE(8))
    t.equal(Number(size!.replaceAll(',', '')), sizeField & ~7, `${name} is as its header says`)
  }
  t.equal(
    (await client.expectVariables(chunks.variablesReference)).at(-1)!.name,
    '…',
    'unpaged it is cut, and says so',
  )
  const heaps = await client.expectVariables(main.find(({ name }) => name === 'heaps')!.variablesReference)
  t.equal(heaps.length, 1)
  const [total] = await client.expectVariables(scopes.get('Ledger')!.variablesReference)
  // gcore saves every page, so such a core does not tell what was in RAM.
  t.match(total!.value, ledger ? new RegExp(`^${ledger.totalBytes} `) : /not known here/)
  const shown = await client.expectVariables(scopes.get('Findings')!.variablesReference)
  t.same(
    shown.slice(0, findings.length).map(({ name }) => name),
    findings.map(({ rule }) => rule),
  )
  if (findings.length === 0) t.match(shown, [{ name: 'note', value: 'nothing was found' }])
  for (const { variablesReference } of shown.slice(0, findings.length))
    t.ok((await client.expectVariables(variablesReference)).some(({ name }) => name === 'do now'))
  const regions = scopes.get('Regions')!
  const pieces = await client.expectVariables(regions.variablesReference)
  t.equal(pieces.length, regions.indexedVariables)
  t.ok(pieces.some(({ value }) => /main heap/.test(value)))
  for (const region of target.regions())
    t.ok(pieces.some(({ memoryReference }) => BigInt(memoryReference!) === region.start))
  target.close()
  for (const reference of [0, 999_999, 2 ** 31 - 1])
    t.equal((await client.expectError('variables', { variablesReference: reference })).id, 1012)
  t.equal((await client.expectError('variables', { variablesReference: 2 ** 60 })).id, 1002)
  t.equal(
    (await client.expectError('variables', { variablesReference: chunks.variablesReference, count: 2 ** 40 }))
      .id,
    1022,
  )
})

t.test('readMemory is what the core holds, and says what it does not', async (t) => {
  const target = openTarget({ kind: 'core', path: core })
  t.teardown(() => target.close())
  let compared = 0
  for (const region of target.regions()) {
    const length = Math.min(Number(region.end - region.start), 1 << 16)
    const expected = new Uint8Array(length)
    const got = target.memory.read(region.start, expected)
    const {
      data = '',
      unreadableBytes = 0,
      address: at,
    } = await client.expectMemory(`0x${region.start.toString(16)}`, length)
    t.equal(BigInt(at), region.start)
    const bytes = Buffer.from(data, 'base64')
    t.equal(bytes.length, got)
    t.ok(bytes.equals(expected.subarray(0, got)), `${region.path ?? 'anonymous'} byte by byte`)
    t.equal(unreadableBytes > 0, got < length)
    compared += got
  }
  t.ok(compared > 1 << 18)
  const end = target.regions().findLast(({ path }) => path === '[stack]')!.end
  const across = await client.expectMemory(`0x${end.toString(16)}`, 100, -16)
  t.equal(Buffer.from(across.data!, 'base64').length, 16)
  t.equal(across.unreadableBytes, 84)
  const none = await client.expectMemory('0x10', 64)
  t.same([none.data, none.unreadableBytes], [undefined, 64])
  const large = await client.expectMemory(`0x${target.regions()[0]!.start.toString(16)}`, 2 ** 31 - 1)
  t.ok(Buffer.from(large.data!, 'base64').length <= 1 << 20, 'at most a MiB at a time')
  t.same(await client.expectMemory('0x10', 0), { address: '0x10' })
  for (const memoryReference of ['', 'main', '0x', `0x${'f'.repeat(17)}`, '-1'])
    t.equal((await client.expectError('readMemory', { memoryReference, count: 1 })).id, 1015)
  t.equal((await client.expectError('readMemory', { memoryReference: '0x10', count: -1 })).id, 1002)
  t.equal(
    (await client.expectError('readMemory', { memoryReference: '0x10', offset: -100, count: 1 })).id,
    1002,
  )
})

t.test('disassemble, forwards and backwards', async (t) => {
  const pc = waits.instructionPointerReference!
  const { instructions } = await client.expect<NonNullable<P.DisassembleResponse['body']>>('disassemble', {
    memoryReference: pc,
    instructionOffset: -6,
    instructionCount: 12,
  })
  t.equal(instructions.length, 12)
  t.equal(instructions[6]!.address, pc)
  t.match(instructions[5]!, { instruction: /^(call|bl)/, symbol: /^waits\+/ })
  t.ok(instructions.some(({ location }) => location?.path === join(ROOT, SOURCE)))
  const later = await client.expect<NonNullable<P.DisassembleResponse['body']>>('disassemble', {
    memoryReference: pc,
    instructionOffset: 3,
    instructionCount: 2,
  })
  t.same(
    later.instructions.map(({ address: at }) => at),
    instructions.slice(9, 11).map(({ address: at }) => at),
  )
  const nowhere = await client.expect<NonNullable<P.DisassembleResponse['body']>>('disassemble', {
    memoryReference: '0x10',
    instructionCount: 4,
  })
  t.same(
    nowhere.instructions.map(({ presentationHint }) => presentationHint),
    ['invalid', 'invalid', 'invalid', 'invalid'],
  )
  t.equal((await client.expectError('disassemble', { memoryReference: pc, instructionCount: 1e9 })).id, 1022)
})

t.test('modules, loadedSources, source', async (t) => {
  const { modules, totalModules } = await client.expect<P.ModulesResponse['body']>('modules', {})
  t.equal(modules.length, totalModules)
  t.ok(modules.some(({ name }) => /^libc/.test(name)))
  t.same(
    (await client.expect<P.ModulesResponse['body']>('modules', { startModule: 1, moduleCount: 1 })).modules,
    modules.slice(1, 2),
  )
  const { sources } = await client.expect<P.LoadedSourcesResponse['body']>('loadedSources')
  const own = sources.find(({ path }) => path === join(ROOT, SOURCE))!
  const { content } = await client.expect<P.SourceResponse['body']>('source', {
    source: own,
    sourceReference: 0,
  })
  t.equal(content, readFileSync(join(ROOT, SOURCE), 'utf8'))
  t.equal(
    (await client.expectError('source', { source: { path: '/etc/passwd' }, sourceReference: 0 })).id,
    1019,
    'no other files',
  )
})

t.test('evaluate: console, hover, watch; completions', async (t) => {
  t.match((await client.expectEvaluate('help')).result, /chunks .*\nx /)
  const { heap } = JSON.parse((await client.expectEvaluate('report --format json')).result) as Report
  const one = (await client.expectEvaluate('arena 1')).result
  t.match(one, /^arena 1 {2}0x[0-9a-f]+\n {2}system /)
  const [, systemBytes] = /^ {2}system .* {2}([\d,]+) bytes$/m.exec(one)!
  t.equal(Number(systemBytes!.replaceAll(',', '')), heap!.arenas[1]!.systemBytes)
  t.match((await client.expectEvaluate('arenas')).result, /^ Arenas \(2\)/)
  t.match((await client.expectEvaluate('chunks --free --min 1K --limit 5')).result, /^chunk +size/)
  t.match(
    (await client.expectEvaluate('chunks --used --sort size --limit 1')).result,
    /50,?0\d\d +live|50016/,
  )
  for (const line of [
    'arenas',
    'heaps',
    'bins',
    'threads',
    'maps',
    'maps --by path',
    'ledger',
    'findings',
    'report',
    'refresh',
    'x arena:0',
    'x arena:1 --as hex',
  ])
    t.ok((await client.expectEvaluate(line)).result.length > 10, line)
  const { result: found } = await client.expectEvaluate('find "own marker"')
  const [at] = /^0x[0-9a-f]+/.exec(found)!
  t.match(found, /program/)
  t.match((await client.expectEvaluate(`what ${at}`)).result, /program: /)
  const { memoryReference } = await client.expectEvaluate(at, { context: 'hover' })
  t.equal(memoryReference, at)
  t.match(await client.expectEvaluate('list->next->id', { context: 'watch', frameId: waits.id }), {
    result: '8',
    variablesReference: 0,
  })
  const copy = await client.expectEvaluate('copy', { context: 'hover', frameId: waits.id })
  t.match((await client.expectVariables(copy.variablesReference))[0], { name: 'id', value: '7' })
  t.match((await client.expectEvaluate('-exec p ring[1].label')).result, /eight\\033\[2J/)
  t.match((await client.expectEvaluate('numbers[4] + 1', { frameId: waits.id })).result, '6')
  t.match(
    await client.expectError('evaluate', { expression: 'nosuch', context: 'hover', frameId: waits.id }),
    { id: 1017, message: /No symbol "nosuch"/ },
  )
  for (const command of [
    'run',
    'r',
    'start',
    'c',
    'kill',
    'attach 1',
    'target exec',
    'quit',
    'core /x',
    'file /x',
    'thread apply all c',
    'with print pretty -- run',
    'server run',
  ])
    t.equal(
      (await client.expectError('evaluate', { expression: `-exec ${command}`, context: 'repl' })).id,
      1016,
      command,
    )
  t.match((await client.expectEvaluate('-exec thread apply all bt 1')).result, /Thread 3/)
  t.match(await client.expectError('evaluate', { expression: 'chunks --min lots', context: 'repl' }), {
    id: 1020,
    message: /--min takes a size/,
  })
  t.match(await client.expectError('evaluate', { expression: 'arena 99', context: 'repl' }), {
    id: 1020,
    message: /there are 2 arenas/,
  })
  const names = await client.expect<P.CompletionsResponse['body']>('completions', { text: 'ar', column: 3 })
  t.same(
    names.targets.map(({ label }) => label),
    ['arenas', 'arena'],
  )
  const options = await client.expect<P.CompletionsResponse['body']>('completions', {
    text: 'chunks --m',
    column: 11,
  })
  t.same(
    options.targets.map(({ label, start: from, length }) => [label, from, length]),
    [
      ['--min', 7, 3],
      ['--max', 7, 3],
    ],
  )
  const inGdb = await client.expect<P.CompletionsResponse['body']>('completions', {
    text: '-exec info thr',
    column: 15,
  })
  t.ok(inGdb.targets.some(({ label }) => label === 'threads'))
})

t.test('what does not exist here is refused in words', async (t) => {
  for (const command of ['continue', 'next', 'stepIn', 'stepOut', 'pause'])
    t.match(
      await client.expectError(command, { threadId: mainThread }),
      { id: 1016, message: /never run or changed/ },
      command,
    )
  const { breakpoints } = await client.expect<P.SetBreakpointsResponse['body']>('setBreakpoints', {
    source: { path: join(ROOT, SOURCE) },
    breakpoints: [{ line: 1 }, { line: 2 }],
  })
  t.same(
    breakpoints.map(({ verified }) => verified),
    [false, false],
  )
  await client.expect('setExceptionBreakpoints', { filters: [] })
  t.match(await client.expectError('exceptionInfo', { threadId: mainThread }), { id: 1014 })
})

t.test('ended, and every message was as the protocol has it', async (t) => {
  await client.expect('terminate', {})
  await client.expectEvent('terminated')
  await client.expectDisconnect()
  t.equal(client.child!.exitCode, 0)
  t.ok(client.transcript.length > 200)
  t.same(schemaFaults(client.transcript), [])
})

const PIPED = kernelCores() ? false : 'this machine pipes its kernel cores elsewhere'

t.test('a core of a crash: the signal and where', { skip: PIPED }, async (t) => {
  const crashed = await crashCore()
  const other = DapClient.spawn()
  const stopped = await other.expectOpened('attach', { core: crashed })
  t.match(stopped, { reason: 'exception', description: 'Ended by SIGSEGV' })
  const info = await other.expect<P.ExceptionInfoResponse['body']>('exceptionInfo', {
    threadId: stopped.threadId,
  })
  t.match(info, { exceptionId: 'SIGSEGV', breakMode: 'unhandled', description: /at 0x1230$/ })
  const { stackFrames } = await other.expectStackTrace(stopped.threadId!, { levels: 1 })
  t.match(stackFrames, [{ name: 'waits', line: lineOf('if (crash)') }])
  await other.expectDisconnect()
  t.same(schemaFaults(other.transcript), [])
})

t.test('arguments of launch that make no sense', async (t) => {
  const other = DapClient.spawn()
  await other.expect('initialize', { adapterID: 'x' })
  const cases: readonly (readonly [object, number])[] = [
    [{}, 1005],
    [{ core, pid: 1 }, 1002],
    [{ core, stop: true }, 1002],
    [{ core: 7 }, 1002],
    [{ pid: 'many' }, 1002],
    [{ pid: -1 }, 1002],
    [{ pid: process.pid, stop: true, core: '' }, 1002],
    [{ core: join(folder, 'nothing') }, 1006],
    [{ core: join(ROOT, 'README.md') }, 1006],
    [{ pid: 999_999_999 }, 1006],
  ]
  for (const [args, id] of cases) {
    const refused = await other.expectError('launch', args)
    t.equal(refused.id, id, `${JSON.stringify(args)}: ${refused.message}`)
  }
  t.match(await other.expectError('initialize', { adapterID: 'x', pathFormat: 'uri' }), { id: 1002 })
  await other.expect('launch', { core: 'live.core', cwd: folder, gdbPath: '/nonexistent/gdb' })
  const [thread] = await other.expectThreads()
  t.match(await other.expectError('stackTrace', { threadId: thread!.id }), {
    id: 1018,
    message: /gdb not found/,
  })
  await other.expectDisconnect()
  t.same(schemaFaults(other.transcript), [])
})

t.test('the console tells the damage of an arena with that arena only', async (t) => {
  const opened = openTarget({ kind: 'core', path: core })
  const { model, layout } = (await readHeapModel(opened, null))!
  const arena = model.arenas[1]!
  const file = readFileSync(core)
  const at = file.indexOf(readExactly(opened.memory, arena.address, layout.arena.sizeBytes))
  opened.close()
  t.ok(at > 0)
  file.writeBigUInt64LE(0x10n, at + layout.arena.top)
  const damaged = join(folder, 'damaged.core')
  writeFileSync(damaged, file)
  const other = DapClient.spawn()
  await other.expectOpened('launch', { core: damaged, program })
  const damage = new RegExp(`^  at 0x[0-9a-f]+: .*arena ${hex(arena.address)}\\b`, 'm')
  t.match((await other.expectEvaluate('arena 1')).result, damage)
  t.notMatch((await other.expectEvaluate('arena 0')).result, /^ {2}at 0x/m)
  await other.expectDisconnect()
})
