// Real services under load, visited over and over: nothing may be lost in them, and no client may see an error.
// usage: node test/field/visits-under-load.mjs [--visits N] [--only NAME,…] [--command NAME,…] [--seconds N] [--cli FILE]
//   --visits   to each service (200); 0 shows services, load and checks alone
//   --only     of postgres, redis, java, node, nginx (all)
//   --command  of stats, verify, trim, limit (all four); report looks without a call
//   --seconds  how long the load goes on after the last visit (5)
//   --cli      the command line (dist/cli.js, which `npm run build` makes)
// Exit code: 0 nothing was lost; 1 something was; 2 a wrong command line; 3 nothing was lost, but some service was never
// called into. Debian's packages of the services are installed where they are missing. Needs the right to ptrace.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { java } from './services/java.mjs'
import { nginx } from './services/nginx.mjs'
import { node } from './services/node.mjs'
import { postgres } from './services/postgres.mjs'
import { redis } from './services/redis.mjs'
import { COMMANDS, Visits } from './visits.mjs'

/** Each makes {name, start(), pids(), check(), stop()}; `check` ends the load and gives {operations, errors}. */
const SERVICES = { postgres, redis, java, node, nginx }
/** More of a service are only counted. */
const SAID_LOSSES = 10

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
const options = optionsOf()
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, endBySignal)

const outcomes = []
for (const name of options.services) outcomes.push(await visitUnderLoad(name))
console.log(tableOf(outcomes))
process.exit(verdictOf(outcomes))

/** The first signal stops the services well, the second does not wait. */
function endBySignal() {
  if (ending.signal.aborted) process.exit(130)
  ending.abort(new Error('ended by a signal'))
}

/** Says what was lost; the exit code. */
function verdictOf(outcomes) {
  for (const { name, losses } of outcomes) {
    for (const loss of losses.slice(0, SAID_LOSSES)) console.log(`LOST: ${name}: ${loss}`)
    if (losses.length > SAID_LOSSES) console.log(`LOST: ${name}: and ${losses.length - SAID_LOSSES} more`)
  }
  const unproven = outcomes.filter(({ visits }) => options.visits > 0 && visits?.done === 0)
  for (const { name } of unproven) console.log(`${name}: no visit was done, so this proves nothing`)
  if (ending.signal.aborted) return 130
  if (outcomes.some(({ losses }) => losses.length > 0)) return 1
  if (unproven.length > 0) return 3
  console.log('nothing was lost')
  return 0
}

function optionsOf() {
  try {
    const text = (value) => ({ type: 'string', default: value })
    const { values } = parseArgs({
      options: {
        visits: text('200'),
        only: text(Object.keys(SERVICES).join()),
        command: text('stats,verify,trim,limit'),
        seconds: text('5'),
        cli: text('dist/cli.js'),
      },
    })
    return {
      visits: numberOf('--visits', values.visits),
      services: namesOf('--only', values.only, Object.keys(SERVICES)),
      commands: namesOf('--command', values.command, COMMANDS),
      seconds: numberOf('--seconds', values.seconds),
      cli: existsSync(values.cli) ? values.cli : wrong(`${values.cli} is missing; run node .ci/build.mjs`),
    }
  } catch (error) {
    return wrong(error.message)
  }
}

function numberOf(option, value) {
  return /^\d+$/.test(value) ? Number(value) : wrong(`${option} is a number, not ${value}`)
}

function namesOf(option, value, known) {
  const names = value.split(',')
  const unknown = names.find((name) => !known.includes(name))
  return unknown === undefined ? names : wrong(`${option} knows ${known.join(', ')}, not ${unknown}`)
}

function wrong(message) {
  console.error(message)
  process.exit(2)
}

/** One service from its start to its end. */
async function visitUnderLoad(name) {
  const outcome = { name, visits: null, operations: 0, errors: [], alive: 0, losses: [] }
  const folder = mkdtempSync(join(tmpdir(), `arena-field-${name}-`))
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.on('exit', removeFolder)
  const service = SERVICES[name](folder)
  try {
    ending.signal.throwIfAborted()
    console.error(`${name}: starting`)
    await service.start()
    const visits = new Visits(options.cli, service.pids())
    outcome.visits = visits
    await makeVisits(name, visits)
    outcome.alive = visits.alive
    if (visits.alive < visits.processes)
      outcome.losses.push(`${visits.processes - visits.alive} processes ended`)
    Object.assign(outcome, await service.check())
  } catch (error) {
    outcome.losses.push(error.cause?.message ?? error.message)
  } finally {
    await service.stop()
    removeFolder()
  }
  outcome.losses.push(...(outcome.visits?.losses ?? []), ...outcome.errors)
  console.error(`${name}: ended, ${outcome.losses.length} lost`)
  return outcome
}

async function makeVisits(name, visits) {
  console.error(`${name}: under load, processes ${visits.pids.join(' ')}`)
  for (let turn = 0; turn < options.visits; turn++) {
    ending.signal.throwIfAborted()
    await visits.make(turn, options.commands)
    if (visits.count % 20 === 0) console.error(`${name}: ${visits.count} visits, ${visits.done} done`)
  }
  await sleep(options.seconds * 1000, undefined, { signal: ending.signal })
}

function tableOf(outcomes) {
  const table = new Table({
    head: ['service', 'visits', 'done', 'refused', 'stood still', 'calls', 'operations', 'errors', 'alive'],
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: [null, null, null, 40],
  })
  for (const { name, visits, operations, errors, alive } of outcomes) {
    if (visits === null) {
      table.push([name, { content: 'not started', colSpan: 8 }])
      continue
    }
    const { count, done, refusals, stoppedMs, calls, ways, processes } = visits
    const still = meanAndMax(stoppedMs, ' ms')
    const called = [meanAndMax(calls), linesOf(ways)].join('\n').trim()
    const answered = [operations, errors.length, `${alive} of ${processes}`]
    table.push([name, count, done, linesOf(refusals), still, called, ...answered])
  }
  return table.toString()
}

function linesOf(counts) {
  return [...counts].map(([what, count]) => `${count} × ${what}`).join('\n')
}

function meanAndMax(figures, unit = '') {
  if (figures.length === 0) return ''
  const mean = figures.reduce((sum, one) => sum + one, 0) / figures.length
  return `${mean.toFixed(1)}${unit}\nmax ${Math.max(...figures).toFixed(1)}${unit}`
}
