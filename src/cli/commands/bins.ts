// `arena-inspect bins`: the free lists: each arena's fastbins and bins, followed and checked, and each thread's tcache.
import { countText } from '../../format/sizes.js'
import { walkBins, walkFastbins } from '../../malloc/chunks/bins.js'
import type { MallocState } from '../../malloc/read-heap-model.js'
import { hex } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { TargetSession } from '../../session/open-session.js'
import { plainTable } from '../../views/text/plain-table.js'
import { wholeNumber } from '../byte-count.js'
import type { BinRow, BinsDocument } from '../documents/reading.js'
import { CommandError, EXIT, type ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
import type { TargetOptions } from '../target-arguments.js'
import { say } from '../terminal.js'
import { withMalloc } from '../with-malloc.js'

export interface BinsOptions extends TargetOptions {
  readonly json?: boolean
  readonly arena?: string
}

export async function runBins(targets: readonly string[], options: BinsOptions): Promise<ExitCode> {
  const only = options.arena === undefined ? null : wholeNumber(options.arena, '--arena')
  let damaged = false
  const code = await withMalloc(targets, options, (session) => {
    const malloc = session instanceof TargetSession ? session.measurement.malloc : null
    if (!(session instanceof TargetSession) || !malloc)
      throw new CommandError(
        'free lists are followed in memory, which a snapshot or a saved report has not',
        'run this command on the core or the process; arena-inspect chunks lists the free chunks of a snapshot',
      )
    const lists = arenaLists(session.target.memory, malloc, only)
    for (const what of lists.damage) say(what)
    damaged = lists.damage.length > 0
    const rows = only === null ? [...lists.rows, ...tcacheRows(malloc)] : lists.rows
    if (options.json) {
      const { complete } = session.report
      const { damage } = lists
      const document: BinsDocument = { schema: 'arena-inspect-bins/1', complete, bins: rows, damage }
      outputJson(document)
    } else output(`${table(rows)}\n`)
  })
  return damaged && options.strict && code === EXIT.done ? EXIT.partial : code
}

/** The table of `arena-inspect bins`, and what is damaged. */
export function binsText(memory: MemorySource, malloc: MallocState, only: number | null): string {
  const { rows, damage } = arenaLists(memory, malloc, only)
  const shown = only === null ? [...rows, ...tcacheRows(malloc)] : rows
  return [`${table(shown)}\n`, ...damage.map((what) => `${what}\n`)].join('')
}

function arenaLists(
  memory: MemorySource,
  { model, layout }: MallocState,
  only: number | null,
): { rows: BinRow[]; damage: string[] } {
  const cache = new PageCache(memory)
  const rows: BinRow[] = []
  const damage: string[] = []
  for (const { index, address, systemBytes } of model.arenas) {
    if ((only !== null && index !== only) || systemBytes === null) continue
    const of = index === 0 ? 'main arena' : `arena ${index}`
    for (const walk of [walkFastbins, walkBins]) {
      const sum = walk(cache, address, layout, systemBytes)
      rows.push(...sum.bins.map((bin) => ({ of, ...bin })))
      if (sum.damage) damage.push(`${of}: ${sum.damage.what} (at ${hex(sum.damage.at)})`)
    }
  }
  return { rows, damage }
}

function tcacheRows({ model }: MallocState): BinRow[] {
  return model.caches.flatMap(({ tid, address, bins }) =>
    bins.map(({ index, chunks, bytes }) => ({
      of: tid === null ? `tcache ${hex(address)}` : `thread ${tid}`,
      kind: 'tcache' as const,
      index,
      chunks,
      bytes,
      smallestBytes: null,
      largestBytes: null,
    })),
  )
}

function table(rows: readonly BinRow[]): string {
  const right = ['index', 'chunks', 'bytes', 'smallest', 'largest'].map((title) => ({
    title,
    align: 'right' as const,
  }))
  const columns = [
    { title: 'of', align: 'left' as const },
    { title: 'list', align: 'left' as const },
    ...right,
  ]
  return plainTable(
    columns,
    rows.map((row) => [
      row.of,
      row.kind,
      String(row.index),
      countText(row.chunks),
      countText(row.bytes),
      row.smallestBytes === null ? '' : countText(row.smallestBytes),
      row.largestBytes === null ? '' : countText(row.largestBytes),
    ]),
  )
}
