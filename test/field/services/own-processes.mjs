// The programs that this run starts: what they say, how they end, and that none of them stays.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long anything that should answer may take; far more than it takes on a busy machine. */
export const ANSWER_MS = 30_000
const END_MS = 10_000

const running = new Set()
process.on('exit', () => {
  for (const own of running) endNow(own.everStarted())
})

/**
 * Starts a program. `output` is what it has written so far, `ended` its exit code (or the signal's name) once it has
 * ended, `exit` a promise of that.
 */
export function launch(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const family = new Map()
  const own = { pid: child.pid, output: '', ended: null, everStarted }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      own.output += text
    })
  }
  running.add(own)
  own.exit = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code ?? signal))
  }).then((ended) => {
    own.ended = ended
    return ended
  })
  return own

  // Children are looked up while their parent lives: later nothing tells whose they were.
  function everStarted() {
    if (own.ended === null) for (const pid of descendants(child.pid)) family.set(pid, startOf(pid))
    return family
  }
}

/** Ends `own` and all it started: by each signal in turn, at last by SIGKILL. */
export async function end(own, ...signals) {
  if (!own) return
  const family = own.everStarted()
  for (const signal of signals) {
    if (own.ended !== null) break
    process.kill(own.pid, signal)
    await Promise.race([own.exit, sleep(END_MS)])
    own.everStarted()
  }
  endNow(family)
  if (own.pid !== undefined) await own.exit
  running.delete(own)
}

/** By SIGKILL, which stopped ones heed too. A number that is another process's by now is left alone. */
function endNow(family) {
  for (const [pid, start] of family) {
    try {
      if (start !== null && startOf(pid) === start) process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}

/** A process and all below it. */
function descendants(pid) {
  const below = childrenOf(pid).flatMap(descendants)
  return [pid, ...below]
}

export function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.parent === pid)
    .map(Number)
}

/** When a process began, which with its number names it for good; null when it has ended. */
export function startOf(pid) {
  const stat = statOf(pid)
  return stat === null || stat.state === 'Z' ? null : stat.start
}

function statOf(pid) {
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0], parent: Number(fields[1]), start: fields[19] }
}

export function readOrNull(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return null
    throw error
  }
}

/** Waits until `test` gives something; throws when that takes too long, or when `own` has ended. */
export async function until(what, test, own = null) {
  for (const start = Date.now(); ; await sleep(50)) {
    const found = await test()
    if (found) return found
    if (own && own.ended !== null) throw new Error(`${what}: it has ended (${own.ended})\n${own.output}`)
    if (Date.now() - start > ANSWER_MS) throw new Error(`${what}: not within ${ANSWER_MS / 1000} s`)
  }
}

/** A TCP port that is free now. */
export async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** For spawn: a user without rights where we are root, since servers refuse to run as root. */
export function unprivileged() {
  if (process.getuid() !== 0) return {}
  const [, , uid, gid] = /^nobody:.*$/m.exec(readFileSync('/etc/passwd', 'utf8'))[0].split(':')
  return { uid: Number(uid), gid: Number(gid) }
}
