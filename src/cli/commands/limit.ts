// `arena-inspect limit`: no more arenas than so many in a running process, where glibc still heeds it.
import {
  type LimitOutcome,
  type LimitState,
  limit,
  readLimitState,
  refuseIfLatched,
} from '../../control/limit.js'
import { rehearse } from '../../control/trim.js'
import { countText } from '../../format/sizes.js'
import { wholeNumber } from '../byte-count.js'
import { agree, type ControlOptions, visitJson, visitLine, withControl } from '../control-arguments.js'
import type { LimitDone, LimitDryRun } from '../documents/control.js'
import { EXIT, type ExitCode, UsageError } from '../exit.js'
import { output, outputJson } from '../finish.js'
import { say } from '../terminal.js'

const SCHEMA = 'arena-inspect-limit/1'

export interface LimitOptions extends ControlOptions {
  readonly arenaMax: string
  readonly dryRun?: boolean
}

export async function runLimit(options: LimitOptions): Promise<ExitCode> {
  const arenaMax = wholeNumber(options.arenaMax, '--arena-max')
  if (arenaMax < 1 || arenaMax > 0x7fffffff) {
    throw new UsageError('--arena-max is at least 1', '1 leaves main_arena only')
  }
  return withControl(options, async (controlled) => {
    const state = await readLimitState(controlled, { gdbPath: options.gdb })
    refuseIfLatched(state, arenaMax)
    const how = howOf(state, arenaMax)
    const pid = Number(options.pid)
    if (options.dryRun) {
      const done = await controlled.visiting((visit) => rehearse(controlled, visit))
      const { way } = state
      const visit = visitJson(done)
      const shown: LimitDryRun = { schema: SCHEMA, pid, dryRun: true, arenaMax, possible: true, way, visit }
      const sentence = `This would ${how}; it can be done now. Nothing was changed.`
      if (options.json) outputJson(shown)
      else output(`${sentence}\n`)
      return EXIT.done
    }
    await agree(`${how} inside process ${pid}`, options)
    const outcome = await controlled.visiting((visit) => limit(controlled, state, arenaMax, visit))
    if (options.json) outputJson(documentOf(pid, arenaMax, outcome))
    else output(`${limitText(arenaMax, outcome)}\n`)
    say(visitLine(outcome.visit))
    return EXIT.done
  })
}

/** What would be done, as the rest of `this will …`. */
export function howOf({ way, narenasLimit }: LimitState, arenaMax: number): string {
  return way === 'write'
    ? `set arena_get2's narenas_limit from ${narenasLimit!.value} to ${arenaMax}`
    : `run mallopt(M_ARENA_MAX, ${arenaMax})`
}

/** What was changed, for people. */
export function limitText(
  arenaMax: number,
  { way, before, arenaMax: set, narenasLimit }: LimitOutcome,
): string {
  const stands =
    way === 'write'
      ? `narenas_limit was ${before.narenasLimit!.value}, is ${countText(narenasLimit)}`
      : `mp_.arena_max was ${countText(before.arenaMax)}, is ${countText(set)}`
  const { arenas } = before
  const effect =
    arenas >= arenaMax
      ? `No new arena will be made. The ${arenas} that exist stay: arenas are never merged; a restart with MALLOC_ARENA_MAX=${arenaMax} has ${arenaMax} at most.`
      : `At most ${arenaMax - arenas} more will be made beside the ${arenas} that exist.`
  return `${stands}\n${effect}`
}

function documentOf(pid: number, wanted: number, { visit, before, ...outcome }: LimitOutcome): LimitDone {
  const { arenas, arenaMax, arenaTest, narenasLimit } = before
  const was = { arenas, arenaTest, arenaMax, narenasLimit: narenasLimit?.value ?? null }
  return { schema: SCHEMA, pid, dryRun: false, wanted, ...outcome, before: was, visit: visitJson(visit) }
}
