// Real programs under load: the ledger adds up, and nothing is said of them that is not so.
import { once } from 'node:events'
import { copyFileSync, existsSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../src/report/report.js'
import { openSession } from '../../src/session/open-session.js'
import { packageFiles } from '../support/debian-packages.js'
import { type Running, scratch, start } from '../support/programs.js'
import { DEADLINE_MS, type Ending, endingOf, waitUntil } from '../support/wait-until.js'

/** RSS and pages are read one after the other, and the process goes on between them: so many looks at most. */
const MOST_LOOKS = 10

/** Looks until resident memory adds up, three times at least; nothing critical may be said in any of them. */
async function watch(t: Test, running: Running, name: string): Promise<Report> {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; ; i++) {
    const session = await openSession({ kind: 'live', pid: running.pid }, { useGdb: false })
    const { report } = session
    await session.close()
    const { ledger, findings } = report
    const told = findings.map(({ rule, severity }) => `${severity} ${rule}`).join(', ')
    const isCritical = findings.some(({ severity }) => severity === 'critical')
    t.notOk(isCritical, `${name}: nothing critical (${told})`)
    best = Math.min(best, Math.abs(ledger!.unaccountedPercent))
    t.comment(`${name}: ${ledger!.totalBytes} bytes resident, ${ledger!.unaccountedPercent} % unaccounted`)
    if (i < 2 || (best >= 1 && i < MOST_LOOKS)) continue
    t.ok(best < 1, `${name}: ${best} % unaccounted`)
    return report
  }
}

/** The folders of packages, or why one is missing. */
function packages(...names: readonly string[]): readonly string[] | string {
  const found = names.map(packageFiles)
  const missing = found.find((one) => 'reason' in one)
  return missing && 'reason' in missing ? missing.reason : found.map((one) => ('root' in one ? one.root : ''))
}

t.test('Node', async (t) => {
  // After its load it goes on slowly: V8 maps and unmaps pages faster than they can be read.
  const work = `const kept = new Map()
    for (let n = 0; n < 300000; n++) kept.set(n % 50000, Buffer.alloc(200 + n % 3000, 1))
    setInterval(() => kept.set(Math.random(), 'x'.repeat(100)), 50)
    setTimeout(() => console.log('ready'), 500)`
  const running = await start(process.execPath, ['-e', work], { env: { NODE_OPTIONS: '' } })
  t.teardown(() => running.kill())
  const report = await watch(t, running, 'node')
  t.ok(report.heap!.arenas.length > 0)
})

t.test('Python', async (t) => {
  const roots = packages(
    'python3.11-minimal',
    'libpython3.11-minimal',
    'libpython3.11-stdlib',
    'libexpat1',
    'zlib1g',
  )
  if (typeof roots === 'string') return void t.pass('python', { skip: roots })
  const work = `import threading, os
def churn(seed):
    kept = {}
    n = seed
    while True:
        n += 1
        kept[n % 20000] = bytes(300 + n * 7919 % 4000)
for seed in range(4): threading.Thread(target=churn, args=(seed,), daemon=True).start()
import time; time.sleep(0.5); print('ready', flush=True); time.sleep(1000)`
  const libraries = roots.flatMap((root) => [
    join(root, 'usr/lib/x86_64-linux-gnu'),
    join(root, 'lib/x86_64-linux-gnu'),
  ])
  const env = {
    PYTHONPATH: roots
      .slice(1, 3)
      .map((root) => join(root, 'usr/lib/python3.11'))
      .join(':'),
    PYTHONHOME: join(roots[1]!, 'usr'),
    LD_LIBRARY_PATH: libraries.join(':'),
  }
  const running = await start(join(roots[0]!, 'usr/bin/python3.11'), ['-S', '-c', work], { env })
  t.teardown(() => running.kill())
  const report = await watch(t, running, 'python')
  t.ok(report.target.threads >= 5)
})

t.test('Redis', async (t) => {
  const roots = packages(
    ...['redis-tools', 'libhiredis0.14', 'libjemalloc2', 'liblua5.1-0', 'liblzf1', 'lua-bitop', 'lua-cjson'],
    ...[
      'libssl3',
      'libatomic1',
      'libsystemd0',
      'libcap2',
      'libgcrypt20',
      'liblz4-1',
      'liblzma5',
      'libzstd1',
      'libgpg-error0',
    ],
  )
  if (typeof roots === 'string') return void t.pass('redis', { skip: roots })
  const folders = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
  const env = {
    LD_LIBRARY_PATH: roots.flatMap((root) => folders.map((folder) => join(root, folder))).join(':'),
  }
  // redis-check-rdb is the server's own program under another name.
  const server = join(scratch(), 'redis-server')
  const found = join(roots[0]!, 'usr/bin/redis-check-rdb')
  if (!existsSync(found)) return void t.pass('redis', { skip: 'the package has no such program' })
  copyFileSync(found, server)
  const socket = join(scratch(), 'redis.sock')
  const options = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no']
  const running = await start(server, options, { env })
  t.teardown(() => running.kill())
  const load = await client(socket, endingOf(running.child))
  t.teardown(() => load.end())
  const report = await watch(t, running, 'redis')
  t.ok(load.answers() > 1000, `${load.answers()} answers`)
  t.ok(
    report.findings.some(({ rule }) => rule === 'other-allocator'),
    'Debian builds Redis with jemalloc',
  )
})

/** SET and DEL without pause over Redis's own protocol. */
async function client(path: string, ending: Ending): Promise<{ answers(): number; end(): void }> {
  const connection = await connected(path, ending)
  let answers = 0
  let n = 0
  const send = () => {
    const commands: string[] = []
    for (let i = 0; i < 200; i++, n++) {
      const key = `key:${(n * 7919) % 40000}`
      const value = 'x'.repeat(50 + (n % 1500))
      commands.push(n % 5 === 4 ? command('DEL', key) : command('SET', key, value))
    }
    connection.write(commands.join(''))
  }
  connection.on('data', (data) => {
    answers += data.toString('latin1').split('\r\n').length - 1
    send()
  })
  send()
  await waitUntil('it has answered', () => answers >= 20_000, ending)
  return { answers: () => answers, end: () => connection.destroy() }
}

/** The socket is there before anybody listens. */
async function connected(path: string, ending: Ending): Promise<Socket> {
  for (const until = Date.now() + DEADLINE_MS; ; ) {
    const connection = createConnection(path)
    try {
      await once(connection, 'connect')
      return connection
    } catch (error) {
      if (Date.now() > until || ending() !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}
