// Visits to processes: each by a run of the command line, as users do it; what came of it is counted.
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { withinTime } from './services/load.mjs'
import { readOrNull, startOf } from './services/own-processes.mjs'

const ARGUMENTS = {
  stats: ['--yes'],
  verify: ['--yes'],
  trim: ['--yes'],
  limit: ['--yes', '--arena-max', '64'],
  report: [],
}
export const COMMANDS = Object.keys(ARGUMENTS)

/** What came of the visits to one service. `losses` is what must not happen, in sentences. */
export class Visits {
  count = 0
  done = 0
  refusals = new Map()
  ways = new Map()
  stoppedMs = []
  calls = []
  losses = []
  #command
  #starts

  constructor(cli, pids) {
    this.#command = cli
    this.#starts = new Map(pids.map((pid) => [pid, startOf(pid)]))
  }

  get alive() {
    return [...this.#starts].filter(([pid, start]) => start !== null && startOf(pid) === start).length
  }

  get pids() {
    return [...this.#starts.keys()]
  }

  get processes() {
    return this.#starts.size
  }

  /** Makes visit number `turn`: every command to one process, then to the next. */
  async make(turn, commands) {
    const command = commands[turn % commands.length]
    const pid = this.pids[Math.floor(turn / commands.length) % this.processes]
    const args = [this.#command, command, ...ARGUMENTS[command], '--json', '--pid', String(pid)]
    const ended = await run(args)
    this.count++
    this.#take(ended, `visit ${turn} (${command} ${pid})`)
    const left = leftBehind(pid)
    if (left) this.losses.push(`visit ${turn} (${command} ${pid}) left ${left}`)
  }

  #take({ error, stdout, stderr }, name) {
    const said = stderr.trim().split('\n').at(-1)
    if (error?.isLate) {
      this.losses.push(`${name}: ${error.message}`)
      return
    }
    const answer = parsed(stdout)
    if (answer === null) {
      const isRefusal = error?.code === 1 && !said.includes('a defect of arena-inspect')
      if (isRefusal) countIn(this.refusals, reasonOf(said))
      else this.losses.push(`${name}: exit code ${error?.code ?? error?.signal ?? 0}: ${said}`)
      return
    }
    this.done++
    if (answer.equal === false) this.losses.push(`${name}: ${JSON.stringify(answer.differences)}`)
    if (!answer.visit) return
    this.stoppedMs.push(answer.visit.stoppedMs)
    this.calls.push(answer.visit.calls)
    if (answer.visit.way) countIn(this.ways, answer.visit.way)
  }
}

/** Runs the command line; one that takes too long is ended by SIGINT, on which it puts the process right. */
async function run(args) {
  let child
  const ended = new Promise((resolve) => {
    child = execFile(process.execPath, args, { maxBuffer: 2 ** 30 }, (error, stdout, stderr) =>
      resolve({ error, stdout, stderr }),
    )
  })
  try {
    return await withinTime(ended)
  } catch (late) {
    child.kill('SIGINT')
    await withinTime(ended).catch(() => child.kill('SIGKILL'))
    return { error: { isLate: true, message: late.message }, stdout: '', stderr: '' }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A refusal without its numbers and its hint, so that the same ones are counted together. */
function reasonOf(line) {
  return line
    .replace(/^arena-inspect: /, '')
    .replace(/^nothing was called in process \d+: /, '')
    .split('; ')[0]
    .replace(/0x[0-9a-f]+|\d+/g, 'N')
}

function countIn(counts, key) {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** A tracer or a stop that outlives the visit; null when there is none. */
function leftBehind(pid) {
  for (const tid of tidsOf(pid)) {
    const status = readOrNull(`/proc/${pid}/task/${tid}/status`) ?? ''
    const [, state] = /^State:\s*(\S)/m.exec(status) ?? []
    const [, tracer] = /^TracerPid:\s*(\d+)/m.exec(status) ?? []
    if (state === 'T' || state === 't') return `thread ${tid} stopped`
    if (tracer && tracer !== '0') return `thread ${tid} traced by ${tracer}`
  }
  return null
}

function tidsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}
