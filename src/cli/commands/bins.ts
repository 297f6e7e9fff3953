// `arena-inspect bins`: the free lists: each arena's fastbins and bins, followed and checked, and each thread's tcache.
import { countText } from '../../format/sizes.js'
import { type BinSum, walkBins, walkFastbins } from '../../malloc/chunks/bins.js'
import type { MallocState } from '../../malloc/read-heap-model.js'
import { hex } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { plainTable } from '../../views/text/plain-table.js'
import { wholeNumber } from '../byte-count.js'
import { EXIT, type ExitCode } from '../exit.js'
import { output } from '../finish.js'
import type { TargetOptions } from '../target-arguments.js'
import { say } from '../terminal.js'
import { withMalloc } from '../with-malloc.js'

export interface BinsOptions extends TargetOptions {
  readonly json?: boolean
  readonly arena?: string
}

interface Row {
  /** `arena 3`, or `thread 4711` for a tcache. */
  readonly of: string
  readonly kind: BinSum['kind'] | 'tcache'
  readonly index: number
  readonly chunks: number
  readonly bytes: number
  readonly smallestBytes: number | null
  readonly largestBytes: number | null
}

export async function runBins(targets: readonly string[], options: BinsOptions): Promise<ExitCode> {
  const only = options.arena === undefined ? null : wholeNumber(options.arena, '--arena')
  let damaged = false
  const code = await withMalloc(targets, options, ({ target }, malloc) => {
    const lists = arenaLists(target.memory, malloc, only)
    for (const what of lists.damage) say(what)
    damaged = lists.damage.length > 0
    const rows = only === null ? [...lists.rows, ...tcacheRows(malloc)] : lists.rows
    if (options.json) output(`${JSON.stringify({ bins: rows, damage: lists.damage }, null, 2)}\n`)
    else output(`${table(rows)}\n`)
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
): { rows: Row[]; damage: string[] } {
  const cache = new PageCache(memory)
  const rows: Row[] = []
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

function tcacheRows({ model }: MallocState): Row[] {
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

function table(rows: readonly Row[]): string {
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
