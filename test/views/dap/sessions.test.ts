// Several clients at once, long work beside short, and clients that say what is no protocol.
import { join } from 'node:path'
import { DebugClient } from '@vscode/debugadapter-testsupport'
import type { DebugProtocol as P } from '@vscode/debugprotocol'
import t, { type Test } from 'tap'
import { runsTarget } from '../../../src/views/dap/running-commands.js'
import { arenaInspect } from '../../support/command.js'
import { DapClient } from '../../support/dap-client.js'
import { schemaFaults } from '../../support/dap-schema.js'
import { compile, gcore, ROOT, scratch, start } from '../../support/programs.js'
import { RunningCommand } from '../../support/running-command.js'
import { waitUntil } from '../../support/wait-until.js'

const folder = scratch()
const MILLION = 1_000_000
const running = await start(compile('test/programs/dap-target.c', ['-O0']), [
  join(folder, 'heart'),
  String(1.4 * MILLION),
])
const core = gcore(running.pid, join(folder, 'million.core'))
await running.kill()

const adapter = new RunningCommand(['dap', '--listen', '0'])
t.teardown(() => adapter.signal('SIGKILL'))
await adapter.until(({ stderr }) => /listening on 127\.0\.0\.1:\d+/.test(stderr))
const port = Number(/127\.0\.0\.1:(\d+)/.exec(adapter.stderr)![1])

async function opened(): Promise<DapClient> {
  const client = await DapClient.connect(port)
  await client.expectOpened('launch', { core })
  return client
}

async function scopesOf(client: DapClient): Promise<ReadonlyMap<string, P.Scope>> {
  const [thread] = await client.expectThreads()
  const { stackFrames } = await client.expectStackTrace(thread!.id, { levels: 1 })
  return client.expectScopes(stackFrames[0]!.id)
}

t.test('an arena of a million chunks: one walk, then pages', async (t) => {
  const client = await opened()
  const arenas = await client.expectVariables((await scopesOf(client)).get('Arenas')!.variablesReference)
  const began = performance.now()
  const main = await client.expectVariables(arenas[2]!.variablesReference)
  const walkMs = performance.now() - began
  const chunks = main.find(({ name }) => name === 'chunks')!
  t.ok(chunks.indexedVariables! >= MILLION)
  const pagesBegan = performance.now()
  let last = 0n
  for (let page = 0; page < 50; page++) {
    const start = Math.floor((chunks.indexedVariables! / 50) * page)
    const rows = await client.expectVariables(chunks.variablesReference, {
      filter: 'indexed',
      start,
      count: 100,
    })
    t.equal(rows.length, 100)
    t.equal(rows[0]!.name, `[${start}]`)
    t.ok(BigInt(rows[0]!.memoryReference!) > last, 'in the order of addresses')
    last = BigInt(rows[0]!.memoryReference!)
  }
  const pageMs = (performance.now() - pagesBegan) / 50
  t.comment(`walk ${walkMs.toFixed(0)} ms, a page ${pageMs.toFixed(1)} ms`)
  t.ok(pageMs < walkMs + 100, 'no page walks the arena again')
  await client.expectDisconnect()
})

t.test('long work is cancelled, shows its progress, and others are answered meanwhile', async (t) => {
  const client = await opened()
  const heavy = Array.from({ length: 6 }, () =>
    client.send('evaluate', { expression: 'chunks --sort size --limit 100000', context: 'repl' }),
  )
  const find = client.send('evaluate', { expression: 'find nothing-of-this-is-there', context: 'repl' })
  const quick = client.send('threads')
  await client.response(quick)
  const finished = heavy.filter((seq) =>
    client.transcript.some((m) => m.type === 'response' && (m as P.Response).request_seq === seq),
  )
  t.ok(finished.length < heavy.length, 'threads were told while chunks were walked')
  client.send('cancel', { requestId: find })
  for (const seq of heavy.slice(1)) await client.expect('cancel', { progressId: `work-${seq}` })
  t.match(await client.response(find), {
    success: false,
    message: 'cancelled',
    body: { error: { id: 1007 } },
  })
  const answers = await Promise.all(heavy.map((seq) => client.response(seq)))
  t.ok(answers[0]!.success)
  t.ok(answers.some(({ success, message }) => !success && message === 'cancelled'))
  await client.expect('cancel', { requestId: 4711 })
  t.same(schemaFaults(client.transcript), [])
  const starts = client.transcript.filter((m) => (m as P.Event).event === 'progressStart').length
  const ends = client.transcript.filter((m) => (m as P.Event).event === 'progressEnd').length
  t.equal(starts, ends, 'every progress ends')
  await client.expectDisconnect()
})

t.test('a question to gdb is cancelled without waiting for gdb', async (t) => {
  const client = await opened()
  await scopesOf(client)
  const slow = client.send('evaluate', {
    expression: '-exec python import time; time.sleep(60)',
    context: 'repl',
  })
  const began = performance.now()
  await client.expect('cancel', { requestId: slow })
  t.match(await client.response(slow), { success: false, message: 'cancelled' })
  t.ok(performance.now() - began < 30_000, 'answered while gdb was busy')
  await client.expectDisconnect()
})

t.test('launch itself is cancelled, and can be tried again', async (t) => {
  const client = await DapClient.connect(port)
  await client.expectInitialize({ supportsProgressReporting: true })
  const launch = client.send('launch', { core })
  client.send('cancel', { requestId: launch })
  t.match(await client.response(launch), { success: false, message: 'cancelled' })
  t.equal((await client.expectError('threads')).id, 1003)
  await client.expect('launch', { core })
  t.equal((await client.expectThreads()).length, 3)
  await client.expectDisconnect()
})

t.test('several sessions at once do not know of each other', async (t) => {
  const clients = await Promise.all([opened(), opened(), opened()])
  const [first, second, third] = clients
  await first!.expectDisconnect()
  second!.vanish()
  t.equal((await third!.expectThreads()).length, 3)
  await third!.expectDisconnect()
})

t.test('what is no protocol is passed over on stdin, and told', async (t) => {
  const client = DapClient.spawn()
  const junk = [
    'hello\r\n\r\n',
    'Content-Length: many\r\n\r\n',
    'Content-Length: -1\r\n\r\n',
    'Content-Length: 5\r\n\r\n{"a":',
    'Content-Length: 4\r\n\r\nnull',
    'Content-Length: 2\r\n\r\n[]',
    'Content-Length: 18\r\n\r\n{"type":"request"}',
    `Content-Length: ${9 << 20}\r\n\r\n${' '.repeat(9 << 20)}`,
    'Content-Length: 0\r\n\r\n',
  ]
  for (const text of junk) client.raw(text)
  await client.expectInitialize()
  t.ok(client.transcript.filter((m) => (m as P.Event).event === 'output').length >= 6)
  t.match(await client.expectEvent('output'), {
    category: 'important',
    output: /not of the debug adapter protocol/,
  })
  for (const command of [
    'nonsense',
    '',
    '__proto__',
    'constructor',
    'writeMemory',
    'setExpression',
    'x'.repeat(5000),
  ]) {
    const refused = await client.expectError(command)
    t.equal(refused.id, 1001)
    t.ok(refused.message.length < 300)
  }
  for (const args of [
    null,
    7,
    'text',
    [],
    { variablesReference: 'x' },
    { variablesReference: Number.MAX_VALUE },
  ])
    t.ok([1002, 1003].includes((await client.expectError('variables', args)).id))
  // In pieces, and two at once.
  const piece = JSON.stringify({ seq: 999_998, type: 'request', command: 'threads' })
  for (const byte of `Content-Length: ${piece.length}\r\n\r\n${piece}`) client.raw(byte)
  t.notOk((await client.response(999_998)).success)
  await client.expectDisconnect()
  t.equal(client.child!.exitCode, 0)
})

t.test('a browser that is made to send a message to the port is cut off', async (t) => {
  const client = await DapClient.connect(port)
  const json = JSON.stringify({
    seq: 1,
    type: 'request',
    command: 'initialize',
    arguments: { adapterID: 'x' },
  })
  const body = `\r\n\r\nContent-Length: ${json.length}\r\n\r\n${json}`
  client.raw(`POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  await waitUntil('the adapter closes', () => client.isClosed)
  t.notOk(
    client.transcript.some(({ type }) => type === 'response'),
    'nothing was answered',
  )
})

const NOT_ROOT = process.getuid?.() === 0 ? false : 'to become another user takes root'

t.test('another user of this machine is not let in', { skip: NOT_ROOT }, async (t) => {
  const { spawnSync } = await import('node:child_process')
  const code = `const s = require('net').connect(${port}, '127.0.0.1', () => s.write('Content-Length: 60\\r\\n\\r\\n')); s.on('error', () => {}); s.on('close', () => { console.log('closed'); process.exit() }); setTimeout(() => process.exit(), 20000)`
  const { stdout } = spawnSync(process.execPath, ['-e', code], {
    uid: 65534,
    gid: 65534,
    cwd: '/',
    encoding: 'utf8',
    env: {},
  })
  t.equal(stdout.trim(), 'closed')
})

t.test("Microsoft's own test client: launched, threads, stack, variables", async (t) => {
  const client = new DebugClient('node', join(ROOT, 'dist/cli.js'), 'arena-inspect', undefined, false)
  await client.start(port)
  await Promise.all([client.configurationSequence(), client.launch({ core }), client.waitForEvent('stopped')])
  const { body } = await client.threadsRequest()
  t.equal(body.threads.length, 3)
  const stack = await client.stackTraceRequest({ threadId: body.threads[0]!.id })
  const { body: scopes } = await client.scopesRequest({ frameId: stack.body.stackFrames[0]!.id })
  const arenas = scopes.scopes.find(({ name }) => name === 'Arenas')!
  const variables = await client.variablesRequest({ variablesReference: arenas.variablesReference })
  t.match(variables.body.variables[2]!, { name: '[0] main' })
  const { memoryReference } = variables.body.variables[2]!
  const memory = (await client.send('readMemory', { memoryReference, count: 8 })) as P.ReadMemoryResponse
  t.equal(Buffer.from(memory.body!.data!, 'base64').length, 8)
  await t.rejects(client.send('nonsense', {}))
  // Disconnects and waits for the answer.
  await client.stop()
})

t.test('--listen with what is no port, or one that is taken', async (t) => {
  t.match(await arenaInspect(['dap', '--listen', 'here']), { code: 2, stderr: /--listen takes a port/ })
  t.match(await arenaInspect(['dap', '--listen', String(port)]), {
    code: 2,
    stderr: /cannot listen.*EADDRINUSE/,
  })
  t.match(await arenaInspect(['dap']), { code: 0, stdout: '' }, 'without a client it ends')
})

t.test('commands of gdb that would do more than look', async (t) => {
  for (const command of [
    'c',
    'cont',
    'continue 3',
    'r',
    'run',
    'at 1',
    'stepi',
    'si',
    'nexti',
    'tfaas c',
    'taas s',
    'thread apply 1 2 -s c',
    'u 3',
  ])
    t.ok(runsTarget(command), command)
  for (const command of [
    'p c',
    'print run',
    'info threads',
    'bt',
    'up',
    'down',
    'frame 3',
    'x/4gx $sp',
    'show args',
    'thread 2',
    'thread apply all p counter',
    'ptype struct s',
    'set print pretty',
    'info source',
    'list',
    'complete c',
    '',
  ])
    t.notOk(runsTarget(command), command)
})

/** VS Code selects no frame without a source, and then shows no scopes. */
async function expectReportAt(t: Test, client: DapClient, frame: P.StackFrame): Promise<void> {
  t.equal(frame.presentationHint, undefined, 'no frame that is passed over')
  t.equal(frame.line, 1)
  const source = await client.expect<P.SourceResponse['body']>('source', {
    source: frame.source,
    sourceReference: frame.source!.sourceReference,
  })
  t.match(source.content, /^ +\d+ +0x[0-9a-f]+ /m, 'its arenas')
  t.equal(source.content.trimEnd(), (await client.expectEvaluate('report')).result)
}

t.test('no frame has a source here: the first one has the report', async (t) => {
  const stripped = await start(compile('test/programs/dap-target.c', ['-O0', '-s']), [
    join(folder, 'stripped'),
    '10',
  ])
  const core = gcore(stripped.pid, join(folder, 'stripped.core'))
  await stripped.kill()
  const client = await DapClient.connect(port)
  await client.expectOpened('launch', { core })
  const [thread] = await client.expectThreads()
  for (const levels of [1, 20]) {
    const { stackFrames } = await client.expectStackTrace(thread!.id, { startFrame: 0, levels })
    t.match(stackFrames[0]!.name, /pause/)
    await expectReportAt(t, client, stackFrames[0]!)
    t.same(
      stackFrames.slice(1).filter(({ source }) => source),
      [],
    )
  }
  await client.expectDisconnect()
  t.same(schemaFaults(client.transcript), [])
})

t.test('a snapshot: threads, Arenas, Ledger, Findings, Regions; no stack, no memory', async (t) => {
  const client = await DapClient.connect(port)
  const snapshot = join(folder, 'core.arenas.gz')
  await arenaInspect(['snapshot', core, '-o', snapshot])
  await client.expectOpened('launch', { report: snapshot })
  const [thread] = await client.expectThreads()
  const { stackFrames } = await client.expectStackTrace(thread!.id)
  t.match(stackFrames[0], { name: /^no stack: / })
  await expectReportAt(t, client, stackFrames[0]!)
  const scopes = await client.expectScopes(stackFrames[0]!.id)
  t.same([...scopes.keys()], ['Arenas', 'Ledger', 'Findings', 'Regions'])
  t.ok((await client.expectVariables(scopes.get('Arenas')!.variablesReference)).length >= 4)
  await client.expectDisconnect()
  t.same(schemaFaults(client.transcript), [])
})
