// `arena-inspect trim`: malloc_trim(0) inside a live process, predicted, asked, called, measured.
import { predictTrim, type Returned, rehearse, type TrimOutcome, trim } from '../../control/trim.js'
import { bytesText, countText } from '../../format/sizes.js'
import { plainTable } from '../../views/text/plain-table.js'
import {
  agree,
  type Controlled,
  type ControlOptions,
  visitJson,
  visitLine,
  withControl,
} from '../control-arguments.js'
import type { TrimDone, TrimDryRun } from '../documents/control.js'
import { EXIT, type ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
import { say } from '../terminal.js'

export interface TrimOptions extends ControlOptions {
  readonly dryRun?: boolean
}

export async function runTrim(options: TrimOptions): Promise<ExitCode> {
  return withControl(options, async (controlled) => {
    const predicted = predictTrim(controlled.malloc.model)
    const gives =
      predicted.totalBytes === null
        ? 'what it gives back cannot be predicted here'
        : `predicted to give back ${bytesText(predicted.totalBytes)}`
    if (options.dryRun) return dryRun(controlled, options, predicted.totalBytes)
    await agree(`run malloc_trim(0) inside process ${options.pid} (${gives})`, options)
    const outcome = await controlled.visiting((visit) => trim(controlled, predicted, visit))
    if (options.json) outputJson(documentOf(options.pid, outcome))
    else output(`${trimText(outcome)}\n`)
    say(visitLine(outcome.visit))
    return EXIT.done
  })
}

async function dryRun(
  controlled: Controlled,
  options: TrimOptions,
  predictedBytes: number | null,
): Promise<ExitCode> {
  const done = await controlled.visiting((visit) => rehearse(controlled, visit))
  const pid = Number(options.pid)
  const visit = visitJson(done)
  const shown: TrimDryRun = { schema: SCHEMA, pid, dryRun: true, predictedBytes, possible: true, visit }
  const sentence = `malloc_trim(0) can be called now; predicted to give back ${bytesText(predictedBytes)}. Nothing was called.`
  if (options.json) outputJson(shown)
  else output(`${sentence}\n`)
  say(visitLine(done))
  return EXIT.done
}

const SCHEMA = 'arena-inspect-trim/1'

const COLUMNS = [
  { title: 'arena', align: 'right' },
  { title: 'predicted', align: 'right' },
  { title: 'returned', align: 'right' },
  { title: 'resident before', align: 'right' },
  { title: 'after', align: 'right' },
] as const

// Arenas that neither gave nor should have given anything back are only counted.
/** What was predicted and what came back, for people. */
export function trimText({ process: whole, arenas, released }: TrimOutcome): string {
  const told = arenas.filter((one) => one.predictedBytes !== 0 || one.returnedBytes !== 0)
  const rest = arenas.length - told.length
  const rows = told.map((one) => [one.index === 0 ? 'main' : String(one.index), ...cells(one)])
  const lines = [
    `malloc_trim(0) returned ${released ? 1 : 0}; ${bytesText(whole.returnedBytes)} less in RAM`,
    '',
    plainTable(COLUMNS, [...rows, ['process (RSS)', ...cells(whole)]]),
  ]
  if (rest > 0) lines.push('', `${countText(rest)} more arenas: nothing predicted, nothing returned`)
  return lines.join('\n')
}

function cells({ predictedBytes, returnedBytes, beforeBytes, afterBytes }: Returned): string[] {
  return [predictedBytes, returnedBytes, beforeBytes, afterBytes].map((bytes) => countText(bytes))
}

function documentOf(pid: string, { visit, ...outcome }: TrimOutcome): TrimDone {
  return { schema: SCHEMA, pid: Number(pid), dryRun: false, ...outcome, visit: visitJson(visit) }
}
