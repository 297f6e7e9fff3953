// The loop of a watch on made-up time, and its metrics and their server on made-up samples.
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import t from 'tap'
import type { Measured } from '../../src/report/build-report.js'
import { TargetError } from '../../src/target/target.js'
import { WatchMetrics } from '../../src/watch/metrics.js'
import { serveMetrics } from '../../src/watch/metrics-server.js'
import { type SampleSource, TargetGone } from '../../src/watch/sampler.js'
import { MOST_SHARE, REAL_CLOCK, watch } from '../../src/watch/watch.js'
import { FACTS, MIB, sampleWith } from './samples.js'

const TAKEN = { facts: { ...FACTS } as Measured }

/** Runs the loop on a clock of its own; `take` gets the number of the sample, from 1, and says how long it takes. */
async function run(
  take: (nr: number) => number | Error,
  options: { everyMs: number; forMs?: number; count?: number; abortAtMs?: number },
) {
  let now = 0
  let takes = 0
  const abort = new AbortController()
  const at: number[] = []
  const stretched: number[] = []
  const failures: string[] = []
  const advance = (ms: number) => {
    now += Math.max(0, ms)
    if (options.abortAtMs !== undefined && now >= options.abortAtMs) abort.abort()
  }
  const source: SampleSource = {
    async take() {
      at.push(now)
      const took = take(++takes)
      if (took instanceof Error) throw took
      advance(took)
      return { ...TAKEN, sample: sampleWith(now) }
    },
  }
  const end = await watch(source, {
    everyMs: options.everyMs,
    forMs: options.forMs ?? null,
    count: options.count ?? null,
    signal: abort.signal,
    clock: { now: () => now, sleep: async (ms) => advance(ms) },
    onSample: () => {},
    onStretch: (everyMs) => stretched.push(everyMs),
    onFailure: (error) => failures.push(error.message),
  })
  return { end, at, stretched, failures }
}

t.test('samples at their times', async (t) => {
  const plain = await run(() => 10, { everyMs: 100, count: 4 })
  t.same(plain.at, [0, 100, 200, 300], 'what a sample takes is part of the interval')
  t.equal(plain.end.why, 'count')
  t.same(plain.stretched, [])
  const timed = await run(() => 10, { everyMs: 100, forMs: 350 })
  t.same([timed.at, timed.end.why], [[0, 100, 200, 300], 'time'])
  const signalled = await run(() => 10, { everyMs: 100, abortAtMs: 250 })
  t.same([signalled.at, signalled.end.why], [[0, 100, 200], 'signal'])
})

t.test('sampling never takes more than its share', async (t) => {
  const slow = await run((nr) => (nr < 3 ? 10 : nr < 6 ? 300 : nr < 8 ? 2000 : 10), {
    everyMs: 100,
    count: 10,
  })
  t.same(
    slow.at,
    [0, 100, 200, 800, 1400, 2000, 6000, 10_000, 10_100, 10_200],
    'stretched while it takes long, and back again',
  )
  t.same(slow.stretched, [600, 4000], 'told, and again when much longer')
  t.equal(MOST_SHARE, 0.5)
})

t.test('samples that fail', async (t) => {
  const refused = new TargetError('cannot read', 'try')
  const some = await run((nr) => (nr % 2 === 0 ? refused : 10), { everyMs: 100, count: 3 })
  t.same([some.at, some.end.why], [[0, 100, 200, 300, 400], 'count'])
  t.same(some.failures, ['cannot read', 'cannot read'])
  await t.rejects(
    run(() => refused, { everyMs: 100 }),
    refused,
    'failing all the time ends it',
  )
  await t.rejects(
    run(() => new TypeError('ours'), { everyMs: 100 }),
    new TypeError('ours'),
  )
  const gone = await run((nr) => (nr < 3 ? 10 : new TargetGone('ended', 'process 6 has ended')), {
    everyMs: 100,
  })
  t.same(gone.end, { why: 'target-ended', text: 'process 6 has ended' })
  const other = await run(() => new TargetGone('executed', 'another'), { everyMs: 100 })
  t.equal(other.end.why, 'target-executed')
})

t.test('the real clock', async (t) => {
  const abort = new AbortController()
  const began = REAL_CLOCK.now()
  const long = REAL_CLOCK.sleep(3_600_000, abort.signal)
  abort.abort()
  await long
  await REAL_CLOCK.sleep(3_600_000, abort.signal)
  await REAL_CLOCK.sleep(-5, new AbortController().signal)
  t.ok(REAL_CLOCK.now() - began < 1_800_000, 'aborted sleeps end')
})

const HOSTILE = '/tmp/a"b\\c\nd{}\u202e'
const arena = (name: string, inUseBytes: number | null) => ({
  name,
  systemBytes: 100,
  inUseBytes,
  fastbinBytes: 5,
  binnedBytes: 20,
  topBytes: 15,
})

t.test('metrics', async (t) => {
  const metrics = new WatchMetrics({ pid: 6, label: 'pid 6', executable: HOSTILE, glibcVersion: '2.36' })
  t.match(await metrics.text(), /^arena_inspect_target_up 0$/m)
  t.notMatch(
    await metrics.text(),
    /^arena_inspect_resident_bytes /m,
    'nothing is said before the first sample',
  )
  metrics.set(
    sampleWith(1_795_000_000_500, {
      tookMs: 20,
      categories: { 'malloc: live': 7, 'malloc: top': null },
      swapBytes: null,
      byArena: [arena('main', 60), arena('0x10', null)],
      otherArenas: { ...arena('others', 60), count: 3 },
    }),
    [{ rule: 'steady-growth', severity: 'critical', title: '', evidence: [], nextStep: '' }],
  )
  const text = await metrics.text()
  const has = (line: string) => t.ok(text.split('\n').includes(line), line)
  has('arena_inspect_target_up 1')
  has('arena_inspect_target_info{pid="6",executable="/tmp/a\\"b\\\\c\\nd{}\u202e",glibc="2.36"} 1')
  has(`arena_inspect_resident_bytes ${100 * MIB}`)
  has('arena_inspect_ledger_bytes{category="malloc: live"} 7')
  has('arena_inspect_malloc_bytes{state="in_use"} 83886080')
  has('arena_inspect_arena_bytes{arena="main",state="in_use"} 60')
  has('arena_inspect_arena_bytes{arena="main",state="bins"} 25')
  has('arena_inspect_arena_bytes{arena="others",state="top"} 15')
  has('arena_inspect_arena_system_bytes{arena="0x10"} 100')
  has('arena_inspect_finding{rule="steady-growth",severity="critical"} 1')
  has('arena_inspect_sample_duration_seconds_sum 0.02')
  has('arena_inspect_last_sample_timestamp_seconds 1795000000.5')
  t.notMatch(text, /swap_bytes \d|malloc: top|arena="0x10",state="in_use"/, 'unknown is no series')
  t.notMatch(text, /^arena_inspect_(?!target_info)[^{\n]*\{[^}]*\u202e/m)
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    t.match(text, new RegExp(`^# HELP ${name} \\S.{10}`, 'm'), `${name} says what it is`)
    if (type === 'counter') t.match(name, /_total$/)
  }
  metrics.fail()
  const failed = await metrics.text()
  const series = failed.split('\n').filter((line) => line !== '' && !/^#|_duration_seconds/.test(line))
  t.same(series, [
    'arena_inspect_target_up 0',
    'arena_inspect_last_sample_timestamp_seconds 1795000000.5',
    'arena_inspect_sample_errors_total 1',
  ])
})

/** One raw request; the whole answer. */
async function request(port: number, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () =>
      socket.end(`${head}\r\nhost: x\r\nconnection: close\r\n\r\n`),
    )
    let text = ''
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(text))
  })
}

t.test('the server', async (t) => {
  let text = 'arena_inspect_target_up 1\n'
  const server = await serveMetrics('127.0.0.1', 0, {
    contentType: 'text/plain; version=0.0.4',
    text: async () => text,
  })
  t.equal(server.url, `http://127.0.0.1:${server.port}/metrics`)
  const good = await request(server.port, 'GET /metrics HTTP/1.1')
  t.match(good, /^HTTP\/1\.1 200 /)
  t.match(good, /content-type: text\/plain; version=0\.0\.4\r\n/i)
  t.ok(good.endsWith(`\r\n\r\n${text}`))
  text = 'other\n'
  t.ok((await request(server.port, 'GET /metrics?x=1 HTTP/1.1')).endsWith('\r\n\r\nother\n'), 'as of now')
  const headOnly = await request(server.port, 'HEAD /metrics HTTP/1.1')
  t.match(headOnly, /^HTTP\/1\.1 200 /)
  t.ok(headOnly.endsWith('\r\n\r\n'))
  t.match(await request(server.port, 'POST /metrics HTTP/1.1'), /^HTTP\/1\.1 405 /)
  t.match(await request(server.port, 'DELETE /metrics HTTP/1.1'), /^HTTP\/1\.1 405 /)
  for (const path of ['/', '/metrics/', '/../etc/passwd', '/%2e%2e/etc/passwd', '//metrics']) {
    t.match(await request(server.port, `GET ${path} HTTP/1.1`), /^HTTP\/1\.1 404 /, path)
  }
  t.match(await request(server.port, 'nonsense'), /^HTTP\/1\.1 400 /)
  t.equal(listening(server.port), '0100007F', 'on the loopback interface only')
  await t.rejects(serveMetrics('127.0.0.1', server.port, { contentType: '', text: async () => '' }), {
    code: 'EADDRINUSE',
  })
  await server.close()
  await t.rejects(request(server.port, 'GET /metrics HTTP/1.1'), { code: 'ECONNREFUSED' })
})

// The address that a port is listened to on, as the kernel writes it; null when nobody listens.
function listening(port: number): string | null {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const found = new RegExp(`^\\s*\\d+: ([0-9A-F]{8}):${wanted} [0-9A-F]{8}:0000 0A `, 'm')
  return found.exec(readFileSync('/proc/net/tcp', 'utf8'))?.[1] ?? null
}
