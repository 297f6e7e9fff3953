import { spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import * as mi from '../../src/mi/commands.js'
import { GdbSession, type GdbSessionOptions, type TranscriptDirection } from '../../src/mi/gdb-session.js'
import { MiError, type MiErrorKind } from '../../src/mi/mi-error.js'
import { ROOT, scratch } from '../support/programs.js'
import { waitUntil } from '../support/wait-until.js'

async function failure(promise: Promise<unknown>): Promise<MiError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MiError) return error
    throw error
  }
  throw new Error('it did not fail')
}

async function fails(t: Test, promise: Promise<unknown>, kind: MiErrorKind, message: RegExp): Promise<void> {
  const error = await failure(promise)
  t.equal(error.kind, kind, `${kind}: ${error.message}`)
  t.match(error.message, message)
  t.not(error.hint, '')
}

/** Alive and not a zombie. */
function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false
  return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

const FOLDER = scratch()
let fakes = 0

/** A program that talks like gdb: `body` is shell that reads commands from stdin. */
function fake(body: string): string {
  const path = join(FOLDER, `fake-gdb-${++fakes}`)
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

async function real(t: Test, options: GdbSessionOptions = {}): Promise<GdbSession> {
  const session = await GdbSession.start(options)
  t.teardown(() => session.close())
  return session
}

t.test('starts, answers, closes', async (t) => {
  const lines: [TranscriptDirection, string][] = []
  const session = await real(t, { transcript: (direction, line) => lines.push([direction, line]) })
  t.match(await mi.gdbVersion(session), /^GNU gdb/)
  t.ok((await mi.listFeatures(session)).includes('thread-info'))
  t.equal(await mi.dataEvaluateExpression(session, '2 + 3'), '5')
  t.equal(await mi.dataEvaluateExpression(session, '(char)97'), `97 'a'`)
  t.equal(await mi.gdbShow(session, 'confirm'), 'off')
  t.equal(await mi.gdbShow(session, 'auto-load python-scripts'), 'off')
  await mi.gdbSet(session, 'print elements 7')
  t.equal(await mi.gdbShow(session, 'print elements'), '7')
  t.same(await mi.threadInfo(session), [])
  t.equal(await session.console('output/a 255'), '0xff')
  t.ok(lines.some(([d, l]) => d === 'to-gdb' && /^\d+-gdb-version$/.test(l)))
  t.ok(lines.some(([d, l]) => d === 'from-gdb' && /^\d+\^done/.test(l)))
  const { pid } = session
  await session.close()
  await session.close()
  await waitUntil('gdb is gone', () => !isRunning(pid))
  await fails(t, session.console('echo'), 'closed', /closed/)
})

t.test('answers belong to their commands, also when many are asked at once', async (t) => {
  const session = await real(t)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      i % 3 === 0 ? failure(session.console(`p nope${i}`)) : session.console(`output ${i}`),
    ),
  )
  answers.forEach((answer, i) => {
    if (i % 3 === 0) t.ok(answer instanceof MiError && answer.command.includes(`nope${i}`))
    else if (answer !== String(i)) t.equal(answer, String(i))
  })
})

t.test('quoting and text of every kind', async (t) => {
  const session = await real(t)
  t.equal(await session.console('echo a"b\\\\c'), 'a"b\\c')
  t.equal(
    await session.console(String.raw`python print("q\" b\\ t\t. é \u2028 😀 %41", end="")`),
    'q" b\\ t\t. é \u2028 😀 %41',
  )
  t.equal(await session.console('echo é😀'), 'é😀')
  t.equal(await mi.dataEvaluateExpression(session, 'sizeof("a\\"b\\\\")'), '5')
  const long = await session.console('python print("é" * 300000, end="")')
  t.equal(long.length, 300_000)
  t.equal(long.replaceAll('é', ''), '')
  t.equal(await session.console('python print("1^done\\n(gdb) \\n~")'), '1^done\n(gdb) \n~\n')
  for (const evil of ['echo a\nquit', 'echo a\rquit', 'echo \0']) {
    await fails(t, session.console(evil), 'usage', /line end/)
    await fails(t, session.send(evil), 'usage', /line end/)
  }
  t.equal(await session.console('output 1'), '1', 'and gdb is still there')
})

t.test('refusals carry gdb’s words', async (t) => {
  const session = await real(t)
  await fails(t, session.console('frobnicate'), 'refused', /Undefined command/)
  await fails(t, session.send('-frobnicate'), 'refused', /Undefined MI command/)
  await fails(t, session.console('python raise ValueError("what now")'), 'refused', /ValueError: what now/)
  t.match(await failure(session.console('p $nope->x')), { command: /nope/ })
})

t.test('a command that takes too long is interrupted, and gdb goes on', async (t) => {
  const session = await real(t)
  const slow = session.console('python import time; time.sleep(60)', { timeoutMs: 200 })
  const next = session.console('output 7')
  await fails(t, slow, 'timeout', /200 ms/)
  t.equal(await next, '7')
})

t.test('a gdb that does not heed the interrupt is ended', async (t) => {
  const session = await real(t)
  await session.console('python import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)')
  const slow = session.console('python import os; os.system("sleep 6")', { timeoutMs: 200 })
  const next = session.console('output 7')
  await fails(t, slow, 'timeout', /200 ms/)
  t.ok((await failure(next)) instanceof MiError)
  await waitUntil('gdb is gone', () => !isRunning(session.pid))
})

t.test('gdb’s death rejects all that is pending', async (t) => {
  const session = await real(t)
  const pending = [session.console('python import time; time.sleep(60)'), session.console('output 1')]
  setTimeout(() => process.kill(session.pid, 'SIGKILL'), 200)
  for (const promise of pending) await fails(t, promise, 'died', /SIGKILL/)
  await fails(t, session.console('output 1'), 'died', /SIGKILL/)
  t.match(session.over, { kind: 'died' })
})

t.test('close() ends a busy gdb and its command', async (t) => {
  const session = await real(t)
  const busy = failure(session.console('python import time; time.sleep(60)'))
  await new Promise((resolve) => setTimeout(resolve, 100))
  await session.close()
  t.equal((await busy).kind, 'closed')
  await waitUntil('gdb is gone', () => !isRunning(session.pid))
})

t.test('no gdb, and programs that are not gdb', async (t) => {
  await fails(t, GdbSession.start({ gdbPath: '/nonexistent/gdb' }), 'not-found', /gdb not found/)
  t.equal((await failure(GdbSession.start({ gdbPath: '/nonexistent/gdb' }))).hint, 'apt-get install gdb')
  await fails(t, GdbSession.start({ gdbPath: '/etc/passwd' }), 'not-found', /gdb not found/)
  await fails(t, GdbSession.start({ gdbPath: '/bin/true' }), 'died', /code 0/)
  await fails(
    t,
    GdbSession.start({ gdbPath: fake('echo no licence >&2; exit 3') }),
    'died',
    /code 3: no licence/,
  )
  await fails(t, GdbSession.start({ gdbPath: fake('exec sleep 60'), timeoutMs: 300 }), 'timeout', /prompt/)
  const abort = new AbortController()
  const starting = GdbSession.start({ gdbPath: fake('exec sleep 60'), signal: abort.signal })
  setTimeout(() => abort.abort(), 100)
  await fails(t, starting, 'closed', /closed/)
})

t.test('garbage between records, wrong tokens, late and broken answers', async (t) => {
  const gdbPath = fake(String.raw`
printf '(gdb) \n'
while read -r line; do
  token=$(echo "$line" | sed 's/-.*//')
  case "$line" in
    *one*) printf 'inferior says hello\n\377\376\n99^done\n^done\n=weird,\n~"un\n%s^done,BreakpointTable={x="\\303\\251"}\n' "$token";;
    *two*) printf '%s^done,broken={\n' "$token";;
    *three*) late=$token;;
    *echo*) printf '%s^done,v="late"\n%s^done\n' "$late" "$token";;
    *four*) printf '%s^done,v="4"\n' "$token";;
    *five*) printf '%s^error\n' "$token";;
    *six*) printf '~"\\303"\n~"\\251"\n&"log"\n%s^done,v="\342\200\250"\n' "$token";;
  esac
done`)
  const session = await real(t, { gdbPath })
  const one = (await session.send('-one')).record.results
  t.match(one, [{ name: 'BreakpointTable', value: { results: [{ value: 'é' }] } }])
  await fails(t, session.send('-two'), 'protocol', /cannot be read/)
  process.kill(session.pid, 0)
  t.match((await session.send('-four')).record.results, [{ value: '4' }])
  await fails(t, session.send('-five'), 'refused', /no reason/)
  const six = await session.send('-six')
  t.equal(six.console, 'é')
  t.equal(six.log, 'log')
  t.match(six.record.results, [{ value: '\u2028' }])
})

t.test('an answer that comes after the timeout is dropped', async (t) => {
  const gdbPath = fake(String.raw`
trap 'printf "%s^done,v=\"late\"\n" "$token"' INT
printf '(gdb) \n'
while :; do
  read -r line || continue
  token=$(echo "$line" | sed 's/-.*//')
  case "$line" in
    *slow*) sleep 0.6;;
    *) printf '%s^done,v="%s"\n' "$token" "$token";;
  esac
done`)
  const session = await real(t, { gdbPath })
  await fails(t, session.send('-slow', { timeoutMs: 100 }), 'timeout', /100 ms/)
  const { record } = await session.send('-quick')
  t.match(record.results, [{ value: String(record.token) }])
})

t.test('a flood on stderr stays bounded', async (t) => {
  const gdbPath = fake(String.raw`
i=0; while [ $i -lt 3000 ]; do echo 'warning: 0123456789012345678901234567890123456789' >&2; i=$((i+1)); done
printf '(gdb) \n'; exec cat > /dev/null`)
  const session = await real(t, { gdbPath })
  t.ok(session.stderrText.length <= 64 * 1024)
})

t.test('no gdb stays behind when its owner ends', async (t) => {
  const source = (end: string) => `
    import { GdbSession } from ${JSON.stringify(join(ROOT, 'src/mi/gdb-session.ts'))}
    const session = await GdbSession.start()
    await session.console('output 1')
    process.stdout.write(session.pid + '\\n')
    ${end}`
  for (const end of ['', 'process.exit(3)', 'throw new Error("x")', 'process.kill(process.pid, "SIGKILL")']) {
    const script = join(FOLDER, 'owner.mts')
    writeFileSync(script, source(end))
    const child = spawn(process.execPath, [...process.execArgv, script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    await new Promise((resolve) => child.once('close', resolve))
    t.match(text, /^\d+\n$/, `owner: ${end || 'runs to its end without close()'}`)
    await waitUntil('gdb is gone', () => !isRunning(Number(text)))
  }
})
