// `watch --prometheus` scraped by Prometheus itself: what a query returns is what the tool says.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { Sample } from '../../src/watch/sample.js'
import { arenaInspect } from '../support/command.js'
import { endWithUs } from '../support/end-with-us.js'
import { compile, scratch, start } from '../support/programs.js'
import { RunningCommand } from '../support/running-command.js'
import { DEADLINE_MS } from '../support/wait-until.js'

const folder = scratch()

const noPrometheus =
  spawnSync('prometheus', ['--version']).status === 0 ? false : 'prometheus is not installed'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Row {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

/** Prometheus with one target; in a folder and on a port of its own. */
async function prometheus(
  target: string,
): Promise<{ query(text: string): Promise<readonly Row[]>; stop(): Promise<void> }> {
  const port = await freePort()
  const data = join(folder, 'data')
  mkdirSync(data)
  const config = join(folder, 'prometheus.yml')
  writeFileSync(
    config,
    `global: { scrape_interval: 300ms, scrape_timeout: 300ms }
scrape_configs:
  - job_name: watched
    static_configs: [{ targets: ['${target}'] }]
`,
  )
  const child = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  endWithUs(child)
  let log = ''
  child.stderr.on('data', (text) => {
    log += text
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const base = `http://127.0.0.1:${port}`
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(log)
      return (await fetch(`${base}/-/ready`)).ok
    },
    () => log,
  )
  return {
    async query(text) {
      const answer = await fetch(`${base}/api/v1/query?query=${encodeURIComponent(text)}`)
      const body = (await answer.json()) as { status: string; data: { result: readonly Row[] } }
      if (body.status !== 'success') throw new Error(JSON.stringify(body))
      return body.data.result
    },
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function until(holds: () => Promise<boolean>, what: () => string): Promise<void> {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    try {
      if (await holds()) return
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
    }
    if (Date.now() > end) throw new Error(`it never came: ${what()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const metricsAddress = (stderr: string) => /metrics are on http:\/\/(\S+)\/metrics/.exec(stderr)?.[1]

t.test('Prometheus scrapes it', { skip: noPrometheus }, async (t) => {
  // Eleven arenas that soon rest: what is scraped and what is printed can be compared to the byte.
  const target = await start(compile('test/programs/grower.c'), ['arenas', '10', '11'], {
    env: { MALLOC_ARENA_MAX: '64' },
  })
  const pid = String(target.pid)
  const run = new RunningCommand(['watch', '--pid', pid, '--every', '200ms', '--json', '--prometheus', '0'])
  const samples = () => run.lines.map((line) => JSON.parse(line) as Sample)
  await run.until(() => (samples().at(-1)?.arenas ?? 0) === 11)
  const address = metricsAddress(run.stderr)!
  t.match(address, /^127\.0\.0\.1:\d+$/, 'on the loopback interface')
  const server = await prometheus(address)
  try {
    await until(
      async () => (await server.query('arena_inspect_arenas == 11')).length === 1,
      () => run.stderr,
    )
    await run.until(({ lines }) => lines.length > 0)
    const last = samples().at(-1)!
    const system = await server.query('arena_inspect_arena_system_bytes')
    t.same(
      Object.fromEntries(system.map(({ metric, value }) => [metric.arena, Number(value[1])])),
      Object.fromEntries(last.byArena.map(({ name, systemBytes }) => [name, systemBytes])),
      "each arena's bytes",
    )
    t.equal(system.length, 11)
    const one = async (text: string) => Number((await server.query(text))[0]?.value[1])
    t.equal(
      await one('sum(arena_inspect_arena_bytes)'),
      last.systemBytes,
      'states sum to what the arenas hold',
    )
    t.equal(await one('sum(arena_inspect_malloc_bytes)'), await one('arena_inspect_malloc_system_bytes'))
    t.equal(await one('arena_inspect_malloc_bytes{state="in_use"}'), last.inUseBytes)
    t.equal(await one('sum(arena_inspect_arena_bytes{state="in_use"})'), last.inUseBytes)
    t.equal(await one('arena_inspect_resident_bytes'), last.rssBytes)
    t.equal(
      await one('arena_inspect_ledger_bytes{category="malloc: live"}'),
      last.categories!['malloc: live'],
    )
    t.equal(await one(`arena_inspect_target_info{pid="${pid}"}`), 1)
    t.ok((await one('arena_inspect_sample_duration_seconds_count')) > 0)
    t.equal(await one('arena_inspect_sample_errors_total'), 0)
    t.equal(await one('arena_inspect_target_up'), 1)
    await target.kill()
    t.equal((await run.ended).code, 0)
    t.match(run.stdout, `process ${pid} has ended`)
    await until(
      async () => (await one('up{job="watched"}')) === 0,
      () => 'up is still 1',
    )
    t.same(
      await server.query('arena_inspect_arena_system_bytes'),
      [],
      'nothing is said of a process that is gone',
    )
  } finally {
    await server.stop()
    await target.kill()
  }
})

t.test('where it listens', async (t) => {
  const target = await start(compile('test/programs/grower.c'), ['still'])
  const pid = String(target.pid)
  const watchOn = (address: string) => ['watch', '--pid', pid, '--every', '100ms', '--prometheus', address]
  const run = new RunningCommand(watchOn('0.0.0.0:0'))
  await run.until(({ lines }) => lines.length >= 2)
  const port = /:(\d+)$/.exec(metricsAddress(run.stderr)!)![1]!
  const hex = Number(port).toString(16).toUpperCase().padStart(4, '0')
  t.match(
    readFileSync('/proc/net/tcp', 'utf8'),
    ` 00000000:${hex} 00000000:0000 0A`,
    'everywhere, when told so',
  )
  const taken = await arenaInspect(watchOn(port))
  t.equal(taken.code, 1)
  t.equal(
    taken.stderr,
    `arena-inspect: cannot serve metrics on 127.0.0.1:${port}: something else listens there; choose another port with --prometheus\n`,
  )
  t.equal(taken.stdout, '')
  run.signal('SIGINT')
  t.equal((await run.ended).code, 130)
  await target.kill()
})
