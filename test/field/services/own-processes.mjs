// The programs that this run starts: what they say, how they end, and that none of them stays.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long anything that should answer may take; far more than it takes on a busy machine. */
export const ANSWER_MS = 60_000
const END_MS = 10_000

/** How often it is looked up what the programs have started: once they have ended, nothing tells whose it was. */
const LOOK_MS = 1000

const running = new Set()
setInterval(() => {
  for (const own of running) own.everStarted()
}, LOOK_MS).unref()
process.on('exit', () => {
  for (const own of running) killAll(own.everStarted())
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

  function everStarted() {
    if (own.ended === null) for (const { pid, start } of descendants(child.pid)) family.set(pid, start)
    return family
  }
}

/** The end of what a program wrote, for a sentence. */
export function lastWords({ output }) {
  return output
    .trim()
    .split(/[\r\n]+/)
    .slice(-3)
    .join(' / ')
    .slice(-300)
}

/** Ends `own` and all it started: by each signal in turn, at last by SIGKILL, which stopped ones heed too. */
export async function end(own, ...signals) {
  if (!own) return
  const start = own.everStarted().get(own.pid)
  for (const signal of signals) {
    if (own.ended !== null) break
    signalTo(own.pid, start, signal)
    await Promise.race([own.exit, sleep(END_MS)])
  }
  killAll(own.everStarted())
  await own.exit
  running.delete(own)
}

function killAll(family) {
  for (const [pid, start] of family) signalTo(pid, start, 'SIGKILL')
}

/** Leaves a number alone that is another process's by now. */
function signalTo(pid, start, signal) {
  try {
    if (startOf(pid) === start) process.kill(pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** A process and all below it. */
function descendants(pid) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? [])
  const found = all.filter((one) => one.pid === pid)
  for (const { pid: parent } of found) found.push(...all.filter((one) => one.parent === parent))
  return found
}

export function childrenOf(pid) {
  return descendants(pid)
    .filter(({ parent }) => parent === pid)
    .map((one) => one.pid)
}

/** When a process began, which with its number names it for good; null when it has ended. */
export function startOf(pid) {
  return statOf(pid)?.start ?? null
}

function statOf(pid) {
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  const [state, parent, ...more] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // The 22nd field of the line.
  return state === 'Z' ? null : { pid, parent: Number(parent), start: more[17] }
}

/** Null where a process has ended. */
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
    if (own && own.ended !== null) throw new Error(`${what}: it has ended (${own.ended}): ${lastWords(own)}`)
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
