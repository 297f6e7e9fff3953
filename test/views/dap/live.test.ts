// The debug adapter on live processes: never stopped unasked, running on whatever becomes of adapter and client.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DebugProtocol as P } from '@vscode/debugprotocol'
import t from 'tap'
import { DapClient } from '../../support/dap-client.js'
import { schemaFaults } from '../../support/dap-schema.js'
import { endNow, endWithUs } from '../../support/end-with-us.js'
import { longestGap } from '../../support/heartbeat.js'
import { compile, ROOT, scratch, start } from '../../support/programs.js'
import { RunningCommand } from '../../support/running-command.js'
import { endingOf, waitUntil } from '../../support/wait-until.js'

const folder = scratch()
const heart = join(folder, 'heart')
// By its path, so that debug information names a file that is here.
const program = compile(`#include "${join(ROOT, 'test/programs/dap-target.c')}"\n`, ['-O0'])
const running = await start(program, [heart, '2000'])
const { pid } = running
const ending = endingOf(running.child)

const stateOf = () => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
const tracerOf = () => /^TracerPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
const ticks = () => readFileSync(heart).readBigUInt64LE(0)

async function runsOn(what: string): Promise<void> {
  await waitUntil(`nobody traces it after ${what}`, () => tracerOf() === '0')
  const before = ticks()
  await waitUntil(`its heart beats after ${what}`, () => ticks() > before, ending)
}

// On a machine that is busy with all else.
t.teardown(() => running.kill())

// A test that fails lets nothing stand still for the next one.
const clients = new Set<DapClient>()
function spawned(): DapClient {
  const client = DapClient.spawn()
  clients.add(client)
  return client
}
t.afterEach(async () => {
  for (const client of clients) client.child?.kill('SIGKILL')
  clients.clear()
})

t.test('read while it runs: threads, arenas, memory, and no stack', async (t) => {
  const client = spawned()
  const { beats } = await longestGap(heart, async () => {
    const stopped = await client.expectOpened('attach', { pid })
    t.match(stopped, {
      reason: 'pause',
      description: 'Running, read without a stop',
      allThreadsStopped: false,
    })
    t.equal(tracerOf(), '0', 'nobody traces it')
    t.not(stateOf(), 'T')
    const threads = await client.expectThreads()
    t.equal(threads.length, 3)
    const { stackFrames } = await client.expectStackTrace(threads[0]!.id)
    t.match(stackFrames, [
      { name: /^no stack: the process runs: .*"stop": true/, source: { sourceReference: 1 } },
    ])
    const scopes = await client.expectScopes(stackFrames[0]!.id)
    t.same([...scopes.keys()], ['Arenas', 'Ledger', 'Findings', 'Regions'])
    const arenas = await client.expectVariables(scopes.get('Arenas')!.variablesReference)
    const { data } = await client.expectMemory(arenas.at(-1)!.memoryReference!, 64)
    t.equal(Buffer.from(data!, 'base64').length, 64)
    const [total] = await client.expectVariables(scopes.get('Ledger')!.variablesReference)
    t.match(total!.value, /in RAM/)
    t.match((await client.expectEvaluate('find "own marker"')).result, /program/)
    t.match((await client.expectEvaluate('refresh')).result, /Arenas \(2\)/)
    t.same(await client.expectEvent('invalidated'), { areas: ['variables'] })
    t.ok((await client.expectVariables(scopes.get('Arenas')!.variablesReference)).length >= 4)
    for (const [command, args] of [
      ['disassemble', { memoryReference: arenas[2]!.memoryReference, instructionCount: 1 }],
      ['evaluate', { expression: '-exec bt', context: 'repl' }],
    ] as const)
      t.match(await client.expectError(command, args), { id: 1013, message: /"stop": true/ })
    t.match(await client.expectError('evaluate', { expression: 'main', context: 'hover' }), { id: 1021 })
    t.match(await client.expectError('pause', { threadId: threads[0]!.id }), { id: 1016 })
  })
  t.ok(beats > 0)
  await client.expectDisconnect()
  t.same(schemaFaults(client.transcript), [])
  await runsOn('disconnect')
})

t.test('"stop" holds it still with its stacks; nothing can be changed; disconnect lets it run', async (t) => {
  const client = spawned()
  const stopped = await client.expectOpened('attach', { pid: String(pid), stop: true })
  t.equal(stateOf(), 't')
  const before = ticks()
  const { stackFrames } = await client.expectStackTrace(stopped.threadId!)
  const waits = stackFrames.find(({ name }) => name === 'waits')!
  const scopes = await client.expectScopes(waits.id)
  const [list] = await client.expectVariables(scopes.get('Arguments')!.variablesReference)
  const [id] = await client.expectVariables(list!.variablesReference)
  t.match(id, { name: 'id', value: '7' })
  for (const expression of ['abort()', 'copy.id = 1', '$pc = 0'])
    t.match(
      await client.expectError('evaluate', { expression, context: 'watch', frameId: waits.id }),
      { id: 1017 },
      expression,
    )
  for (const command of ['continue', 'kill', 'detach', 'signal 9'])
    t.match(
      await client.expectError('evaluate', { expression: `-exec ${command}`, context: 'repl' }),
      { id: 1016 },
      command,
    )
  t.match(await client.expectVariables(scopes.get('Arenas')!.variablesReference), [
    { name: 'totals' },
    {},
    {},
    {},
  ])
  t.equal(ticks(), before, 'it stood still all the time')
  await client.expectDisconnect()
  t.same(schemaFaults(client.transcript), [])
  await runsOn('a stop')
})

t.test('another debugger is there already: a reason, and it is left alone', async (t) => {
  const first = spawned()
  await first.expectOpened('attach', { pid, stop: true })
  const second = spawned()
  await second.expectInitialize()
  t.match(await second.expectError('attach', { pid, stop: true }), {
    id: 1006,
    message: /cannot attach.*no other debugger/,
  })
  await second.expectDisconnect()
  await first.expectDisconnect()
  await runsOn('two debuggers')
})

// Most do without gdb, whose start is what takes the time.
const quick = { pid, gdbPath: '/nonexistent/gdb' }

/** What a client can be in the middle of. */
const MIDDLES: readonly (readonly (readonly [string, object])[])[] = [
  [],
  [
    ['attach', quick],
    ['threads', {}],
    ['readMemory', { memoryReference: '0x10000', count: 4096 }],
  ],
  [
    ['attach', quick],
    ['configurationDone', {}],
    ['modules', {}],
  ],
  [['attach', { pid, stop: true }]],
  [
    ['attach', quick],
    ['evaluate', { expression: 'bins', context: 'repl' }],
    ['cancel', { requestId: 2 }],
  ],
  [
    ['attach', quick],
    ['evaluate', { expression: 'find nothing-of-this-is-there', context: 'repl' }],
    ['threads', {}],
  ],
  [
    ['attach', { pid }],
    ['evaluate', { expression: 'chunks --sort size', context: 'repl' }],
  ],
  [
    ['attach', quick],
    ['evaluate', { expression: 'refresh', context: 'repl' }],
  ],
  [
    ['attach', { pid, stop: true }],
    ['evaluate', { expression: '-exec thread apply all bt full', context: 'repl' }],
    ['loadedSources', {}],
  ],
  [
    ['attach', quick],
    ['disconnect', {}],
  ],
]

/** Sends what round `round` is in the middle of; how many messages are waited for: each time another moment. */
function begin(client: DapClient, round: number): number {
  client.send('initialize', { adapterID: 'x' })
  for (const [command, args] of MIDDLES[round % MIDDLES.length]!) client.send(command, args)
  // `initialize` alone is answered by two.
  return Math.min(round % 4, round % MIDDLES.length === 0 ? 2 : 4)
}

t.test('clients that vanish, 80 times, from one adapter', async (t) => {
  const adapter = new RunningCommand(['dap', '--listen', '0'])
  t.teardown(() => adapter.signal('SIGKILL'))
  await adapter.until(({ stderr }) => /listening on 127\.0\.0\.1:\d+/.test(stderr))
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(adapter.stderr)![1])
  const { beats } = await longestGap(heart, async () => {
    for (let round = 0; round < 80; round++) {
      const client = await DapClient.connect(port)
      const wanted = begin(client, round)
      await waitUntil(
        'some answers',
        () => client.isClosed || client.transcript.filter(({ type }) => type !== 'request').length >= wanted,
      )
      client.vanish()
      if (round % 20 === 19) await runsOn(`client ${round}`)
    }
  })
  t.ok(beats > 0)
  await runsOn('all clients')
  const last = await DapClient.connect(port)
  await last.expectOpened('attach', { pid })
  t.equal((await last.expectThreads()).length, 3, 'the adapter serves on')
  await last.expectDisconnect()
})

t.test('adapters that are killed, 20 times', async (t) => {
  const { beats } = await longestGap(heart, async () => {
    for (let round = 0; round < 20; round += 4) {
      // Four at once, at different moments; only one of them can stop the process.
      const all = [round, round + 1, round + 2, round + 3].map((one) => {
        const client = spawned()
        return { client, wanted: begin(client, one) }
      })
      await Promise.all(
        all.map(async ({ client, wanted }) => {
          const answers = () => client.transcript.filter(({ type }) => type !== 'request').length
          await waitUntil('some answers', () => client.isClosed || answers() >= wanted)
          await endNow(client.child!)
        }),
      )
    }
  })
  t.ok(beats > 0)
  await runsOn('all adapters')
})

t.test('a client process that is killed takes its adapter along', async (t) => {
  // A shell between us is the client: its end of the pipes goes with it.
  const json = JSON.stringify({ seq: 1, type: 'request', command: 'attach', arguments: { pid, stop: true } })
  const message = `Content-Length: ${json.length}\r\n\r\n${json}`
  const client = spawn(
    '/bin/bash',
    [
      '-c',
      `coproc A { exec "${process.execPath}" dist/cli.js dap 2>/dev/null; }; echo $A_PID; printf '%s' "$0" >&"\${A[1]}"; read -r line <&"\${A[0]}"; echo "$line"; cat <&"\${A[0]}"`,
      message,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  )
  endWithUs(client)
  let output = ''
  client.stdout.on('data', (data: Buffer) => {
    output += data
  })
  const answers = () => output.includes('"command":"attach"')
  await waitUntil(
    'the adapter answers',
    answers,
    endingOf(client, () => output),
  )
  const adapter = Number(output.split('\n')[0])
  t.equal(stateOf(), 't')
  client.kill('SIGKILL')
  await runsOn('the client')
  await waitUntil('the adapter ends', () => {
    try {
      return readFileSync(`/proc/${adapter}/stat`, 'utf8').includes(') Z ')
    } catch {
      return true
    }
  })
  t.pass('it ended by itself')
})

t.test('a process that ends while it is open', async (t) => {
  const short = await start(program, [join(folder, 'short'), '100'])
  const client = spawned()
  await client.expectOpened('attach', { pid: short.pid })
  await short.kill()
  const memory = await client.response(client.send('readMemory', { memoryReference: '0x10000', count: 16 }))
  t.ok(memory)
  const refreshed = await client.response(client.send('evaluate', { expression: 'refresh', context: 'repl' }))
  t.notOk(refreshed.success && /Arenas \(2\)/.test((refreshed.body as P.EvaluateResponse['body']).result))
  await client.expectDisconnect()
  t.same(schemaFaults(client.transcript), [])
})
