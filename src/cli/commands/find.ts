// `arena-inspect find`: where text, a pointer or bytes occur in a target's memory, and what each place is in.
import { once } from 'node:events'
import type { Command } from 'commander'
import { printable } from '../../format/printable.js'
import { countText } from '../../format/sizes.js'
import { type Address, hex } from '../../memory/address.js'
import { NeedleError } from '../../session/needle.js'
import type { Session } from '../../session/session.js'
import { wholeNumber } from '../byte-count.js'
import { EXIT, type ExitCode, UsageError } from '../exit.js'
import {
  chooseTarget,
  openSaved,
  type TargetOptions,
  withStopOption,
  withTargetOptions,
} from '../target-arguments.js'
import { Progress, say } from '../terminal.js'

export interface FindOptions extends TargetOptions {
  readonly limit?: string
  readonly json?: boolean
}

/** Of a line of `--json`. */
export interface FoundPlace {
  readonly address: string
  /** What the place is in, most specific first. */
  readonly in: readonly string[]
}

/** Adds the command's options. */
export function withFindOptions(command: Command): Command {
  return withStopOption(withTargetOptions(command))
    .description('where text, a pointer or bytes are in memory, and what each place is in')
    .argument('[target...]', 'CORE [PROGRAM] or --pid N, then TEXT, 0xPOINTER, or "de ad be ef"')
    .option('--limit <n>', 'at most so many places')
    .option('--json', 'one JSON object a line')
}

/** How long other work (signals, the progress) waits. */
const SLICE_MS = 50

export async function runFind(positional: readonly string[], options: FindOptions): Promise<ExitCode> {
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.limit, '--limit')
  const { choice: bare, rest } = chooseTarget(positional, options)
  const withProgram = bare.kind === 'core' && rest.length === 2
  const [text, extra] = withProgram ? rest.slice(1) : rest
  if (text === undefined || extra !== undefined)
    throw new UsageError(
      'name a target and what to look for',
      'e.g. arena-inspect find core.6 "connection reset"',
    )
  const session = await openSaved(withProgram ? { ...bare, program: rest[0]! } : bare, options)
  try {
    const places = await find(session, text, limit, options.json === true)
    if (places === 0) say(`${text} is nowhere in the memory that can be read here`)
    else if (places === limit) say(`the first ${countText(places)}: --limit N shows more`)
    return EXIT.done
  } finally {
    await session.close()
  }
}

async function find(session: Session, text: string, limit: number, json: boolean): Promise<number> {
  const progress = new Progress('looking, %')
  let places = 0
  let turn = performance.now()
  try {
    for (const { at, fraction } of session.search(text, null, 1)) {
      if (at !== null) {
        places++
        if (!process.stdout.write(json ? jsonLine(session, at) : textLine(session, at)))
          await once(process.stdout, 'drain')
      }
      if (places >= limit) break
      if (performance.now() - turn < SLICE_MS) continue
      await progress.update(Math.floor(fraction * 100), 100)
      turn = performance.now()
    }
  } catch (error) {
    if (error instanceof NeedleError) throw new UsageError(error.message, error.hint)
    throw error
  } finally {
    progress.stop()
  }
  return places
}

function jsonLine(session: Session, at: Address): string {
  const place: FoundPlace = { address: hex(at), in: session.describe(at).lines }
  return `${JSON.stringify(place)}\n`
}

function textLine(session: Session, at: Address): string {
  return `${hex(at)}  ${session.describe(at).lines.map(printable).join(' · ')}\n`
}
