// `arena-inspect what`: what is at an address: mapping, chunk, arena, thread, symbol.
import type { Command } from 'commander'
import { printable } from '../../format/printable.js'
import { bytesText, countText, percentOf, percentText } from '../../format/sizes.js'
import { addressOf, chooseWithAddress } from '../address-arguments.js'
import { type WhatDocument, whatIsAt } from '../documents/what.js'
import { CommandError, type ExitCode } from '../exit.js'
import { exitCodeOf, output, outputJson, sayWhatIsMissing } from '../finish.js'
import { openSaved, type TargetOptions, withTargetOptions } from '../target-arguments.js'

export interface WhatOptions extends TargetOptions {
  readonly json?: boolean
}

const EXAMPLE = 'arena-inspect what core.6 0x7f8f98000020'
const MOST_THREADS = 8
const STACKS: ReadonlySet<string> = new Set(['thread stacks', 'main stack'])

export function addWhat(root: Command, end: (code: ExitCode) => void): void {
  withTargetOptions(root.command('what'))
    .description('what is at an address: mapping, chunk, arena, thread, symbol')
    .argument(
      '<target-and-address...>',
      'CORE [PROGRAM] ADDRESS, or --pid N ADDRESS; 0xHEX, arena:N or a libc variable',
    )
    .option('--json', 'as JSON')
    .addHelpText('after', `\nExamples:\n  ${EXAMPLE}\n  arena-inspect what --pid 6 main_arena --json\n`)
    .action(async (positional: string[], options: WhatOptions) => end(await runWhat(positional, options)))
}

export async function runWhat(positional: readonly string[], options: WhatOptions): Promise<ExitCode> {
  const { choice, where } = chooseWithAddress(positional, options, EXAMPLE)
  const session = await openSaved(choice, options)
  try {
    if (session.heaps() === null)
      throw new CommandError(
        'a saved report does not tell what is at an address',
        'run this command on a snapshot, the core or the process',
      )
    const what = await whatIsAt(session, await addressOf(session, where))
    if (options.json) outputJson(what)
    else output(`${whatText(what)}\n`)
    sayWhatIsMissing(session.report)
    return exitCodeOf(session.report, null, options.strict === true)
  } finally {
    await session.close()
  }
}

/** Most specific first, one fact a line. */
export function whatText(what: WhatDocument): string {
  const { address, symbol, mapping, nearest } = what
  const rows: [string, string][] = symbol === null ? [] : [['symbol', symbol]]
  if (what.chunk) rows.push(['chunk', chunkText(what.chunk)])
  if (what.arena) rows.push(['arena', arenaText(what.arena)])
  for (const { tid, name, has, aboveStackPointerBytes: above } of what.threads ?? []) {
    const where =
      above === null
        ? ''
        : `, ${above < 0 ? `${-above} bytes below its stack pointer: not in use` : `${above} bytes above its stack pointer`}`
    rows.push([has, `of thread ${nameOf({ tid, name })}${where}`])
  }
  if (mapping) {
    const { start, end, category, permissions, path, fileOffset, residentBytes } = mapping
    const name = path === null ? 'anonymous memory' : fileOffset === null ? path : `${path} + ${fileOffset}`
    const resident = residentBytes === null ? '' : `, ${bytesText(residentBytes)} of it in RAM`
    rows.push(['mapping', `${start} to ${end}, ${permissions} ${name}`], ['kind', `${category}${resident}`])
    if (what.threads === null && STACKS.has(category))
      rows.push(['stack', 'a snapshot does not tell whose it is'])
  }
  if (nearest) {
    const { below, above } = nearest
    const near = [below && `the last byte below is ${below}`, above && `the first above is ${above}`]
    rows.push(['mapping', ['nothing is mapped here', ...near.filter((text) => text !== null)].join('; ')])
  }
  return [address, ...rows.map(([label, text]) => `  ${label.padEnd(8)} ${printable(text)}`)].join('\n')
}

const STATES: Readonly<Record<NonNullable<WhatDocument['chunk']>['state'], string>> = {
  live: 'live: the program holds it',
  tcache: "free, in a thread's tcache",
  fastbin: 'free, in a fastbin',
  unsorted: 'free, in the unsorted bin',
  binned: 'free, in a bin',
  top: 'top: the free end of the heap',
  fencepost: 'fencepost: the end of a heap that its arena has left',
  mmapped: 'live: the program holds it, in a mapping of its own',
  used: 'used by its header: live, or in a fastbin or tcache',
  free: 'free',
  'heap header': 'no chunk but the header of a heap: heap_info, and malloc_state in the first',
}

function chunkText({
  address,
  sizeBytes,
  state,
  userAddress,
  offsetBytes,
  tcacheOf,
}: NonNullable<WhatDocument['chunk']>): string {
  const whose = tcacheOf === null ? '' : ` of thread ${tcacheOf}`
  const user = userAddress === null ? '' : `, malloc returned ${userAddress}`
  return `${address} + ${offsetBytes}, ${countText(sizeBytes)} bytes${user}; ${STATES[state]}${whose}`
}

function arenaText({
  index,
  address,
  systemBytes,
  inUseBytes,
  heap,
  threads,
}: NonNullable<WhatDocument['arena']>): string {
  const used =
    systemBytes === null || inUseBytes === null
      ? ''
      : `, ${bytesText(systemBytes)}, ${percentText(percentOf(inUseBytes, systemBytes))} in use`
  const named = threads.slice(0, MOST_THREADS).map(nameOf).join(', ')
  const more = threads.length > MOST_THREADS ? ` and ${threads.length - MOST_THREADS} more` : ''
  const whose = threads.length === 0 ? 'no thread uses it' : `used by ${named}${more}`
  return `${index === 0 ? 'main_arena' : index} (${address})${heap === null ? '' : `, heap ${heap}`}${used}; ${whose}`
}

function nameOf({ tid, name }: { readonly tid: number; readonly name: string | null }): string {
  return name === null ? String(tid) : `${tid} ${name}`
}
